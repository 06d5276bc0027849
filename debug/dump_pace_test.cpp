#include "debug/dump_pace.hpp"

#include <gtest/gtest.h>

namespace quoll::debug {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::int64_t ns(milliseconds time) { return nanoseconds(time).count(); }
constexpr std::int64_t kStart = ns(milliseconds(1'000'000));

TEST(DumpPace, OneAloneNeverWaits) {
  DumpPace pace;
  EXPECT_EQ(pace.wait(kStart), nanoseconds(0));
  pace.spend(DumpPace::kBurst / 2, kStart);
  EXPECT_EQ(pace.wait(kStart), nanoseconds(0));
}

TEST(DumpPace, BackToBackGetTheirShareOfTheTime) {
  DumpPace pace;
  std::int64_t now = kStart;
  nanoseconds dumping{0};
  while (now < kStart + ns(milliseconds(60'000))) {
    now += pace.wait(now).count();
    now += ns(milliseconds(2));
    dumping += milliseconds(2);
    pace.spend(milliseconds(2), now);
  }
  const nanoseconds share = nanoseconds(now - kStart) / DumpPace::kShare;
  EXPECT_GE(dumping, share);
  EXPECT_LE(dumping, share + DumpPace::kBurst + milliseconds(4));
}

TEST(DumpPace, SeveralClientsShareIt) {
  DumpPace pace;
  std::int64_t now = kStart;
  nanoseconds dumping{0};
  while (now < kStart + ns(milliseconds(60'000))) {
    now += pace.wait(now).count() + ns(milliseconds(1));
    for (int client = 0; client < 4; ++client) pace.spend(milliseconds(1), now);
    dumping += milliseconds(4);
  }
  EXPECT_LE(dumping, nanoseconds(now - kStart) / DumpPace::kShare + DumpPace::kBurst + milliseconds(8));
}

TEST(DumpPace, NobodyWaitsLong) {
  DumpPace pace;
  pace.spend(std::chrono::minutes(5), kStart);
  pace.spend(std::chrono::minutes(5), kStart);
  EXPECT_EQ(pace.wait(kStart), DumpPace::kWaitMax);
  EXPECT_EQ(pace.wait(kStart + DumpPace::kWaitMax.count()), nanoseconds(0));
}

TEST(DumpPace, APauseMakesTheBurstFreeAgain) {
  DumpPace pace;
  pace.spend(DumpPace::kBurst, kStart);
  pace.spend(DumpPace::kBurst, kStart);
  EXPECT_GT(pace.wait(kStart), nanoseconds(0));
  const std::int64_t later = kStart + ns(milliseconds(10000));
  pace.spend(DumpPace::kBurst - milliseconds(1), later);
  EXPECT_EQ(pace.wait(later), nanoseconds(0));
}

}  // namespace
}  // namespace quoll::debug
