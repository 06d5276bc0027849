#include "cli/human.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace quoll::cli {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;

TEST(human, durations_read_as_in_docker) {
  EXPECT_EQ(human_duration(-5s), "Less than a second");
  EXPECT_EQ(human_duration(0s), "Less than a second");
  EXPECT_EQ(human_duration(1s), "1 second");
  EXPECT_EQ(human_duration(59s), "59 seconds");
  EXPECT_EQ(human_duration(60s), "About a minute");
  EXPECT_EQ(human_duration(119s), "About a minute");
  EXPECT_EQ(human_duration(59min), "59 minutes");
  EXPECT_EQ(human_duration(60min), "About an hour");
  EXPECT_EQ(human_duration(89min), "About an hour");
  EXPECT_EQ(human_duration(90min), "2 hours");
  EXPECT_EQ(human_duration(47h), "47 hours");
  EXPECT_EQ(human_duration(48h), "2 days");
  EXPECT_EQ(human_duration(24h * 14), "2 weeks");
  EXPECT_EQ(human_duration(24h * 60), "2 months");
  EXPECT_EQ(human_duration(24h * 365 * 2), "2 years");
}

TEST(human, waits_are_short) {
  EXPECT_EQ(short_duration(0), "0ms");
  EXPECT_EQ(short_duration(0.042), "42ms");
  EXPECT_EQ(short_duration(1.5), "1.5s");
  EXPECT_EQ(short_duration(200), "3m20s");
  EXPECT_EQ(short_duration(7500), "2h5m");
  EXPECT_EQ(short_duration(4 * 86400 + 3 * 3600), "4d3h");
}

TEST(human, sizes_have_three_digits) {
  EXPECT_EQ(human_size(0), "0B");
  EXPECT_EQ(human_size(999), "999B");
  EXPECT_EQ(human_size(1000), "1kB");
  EXPECT_EQ(human_size(4'261'550), "4.26MB");
  EXPECT_EQ(human_size(72'800'000), "72.8MB");
  EXPECT_EQ(human_size(133'000'000), "133MB");
  EXPECT_EQ(human_size(999'700), "1MB");
  EXPECT_EQ(human_size(UINT64_MAX), "18.4EB");
}

TEST(human, durations_are_gos) {
  EXPECT_EQ(parse_duration("10m"), 10min);
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("300ms"), 300ms);
  EXPECT_EQ(parse_duration("5us"), 5us);
  EXPECT_EQ(parse_duration("0"), 0s);
  for (const char* wrong : {"", "10", "m", "-1m", "1x", "1h30", "1e3s", "9999999h", "1m ", "nan", "infs"}) {
    EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
  }
}

TEST(human, a_duration_as_a_time_is_that_long_ago) {
  const std::chrono::system_clock::time_point now{1'700'000'000s + 250ms};
  EXPECT_EQ(query_time("10s", now), "1699999990.250000000");
  EXPECT_EQ(query_time("100ms", now), "1700000000.150000000");
  EXPECT_EQ(query_time("2000000h", now), "0.000000000");
}

TEST(human, other_times_go_as_they_stand) {
  const std::chrono::system_clock::time_point now{1'700'000'000s};
  for (const char* text :
       {"", "0", "1700000000", "1700000000.5", "2024-05-01T12:00:00Z", "2024-05-01T12:00:00.25+02:00", "yesterday"}) {
    EXPECT_EQ(query_time(text, now), text);
  }
}

// Goal: a time without a zone is local. Method: a zone without a database, two hours ahead of UTC.
TEST(human, a_time_without_a_zone_is_local) {
  const char* const before = std::getenv("TZ");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("TZ", "QQQ-2", 1);
  ::tzset();
  const std::chrono::system_clock::time_point now{1'700'000'000s};
  EXPECT_EQ(query_time("2023-11-15T00:13:20", now), "1700000000");
  EXPECT_EQ(query_time("2023-11-15T00:13:20.25", now), "1700000000.25");
  EXPECT_EQ(query_time("2023-11-15T00:13", now), "1699999980");
  EXPECT_EQ(query_time("2023-11-15", now), "1699999200");
  before == nullptr ? ::unsetenv("TZ") : ::setenv("TZ", kept.c_str(), 1);
  ::tzset();
}

}  // namespace
}  // namespace quoll::cli
