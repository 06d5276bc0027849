#include "http/route_stats.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace quoll::http {
namespace {

using namespace std::chrono_literals;

TEST(route_stats, counts_statuses_and_durations) {
  RouteStats stats;
  stats.add(200, 50us);
  stats.add(200, 100us);
  stats.add(404, 101us);
  stats.add(kClientGoneStatus, 2min);
  const RouteStats::Snapshot snapshot = stats.snapshot();
  ASSERT_EQ(snapshot.status_count, 3u);
  EXPECT_EQ(snapshot.statuses[0].code, 200);
  EXPECT_EQ(snapshot.statuses[0].count, 2u);
  EXPECT_EQ(snapshot.statuses[2].code, 499);
  EXPECT_EQ(snapshot.buckets[0], 2u);
  EXPECT_EQ(snapshot.buckets[1], 1u);
  EXPECT_EQ(snapshot.buckets.back(), 1u);
  EXPECT_EQ(snapshot.count, 4u);
  EXPECT_EQ(snapshot.total, 50us + 100us + 101us + 2min);
}

TEST(route_stats, more_statuses_than_there_is_room_for_are_counted_together) {
  RouteStats stats;
  for (int status = 200; status < 220; ++status) stats.add(status, 1us);
  const RouteStats::Snapshot snapshot = stats.snapshot();
  EXPECT_EQ(snapshot.status_count, RouteStats::kStatusesMax);
  EXPECT_EQ(snapshot.statuses[RouteStats::kStatusesMax - 1].code, 0);
  EXPECT_EQ(snapshot.statuses[RouteStats::kStatusesMax - 1].count, 20 - (RouteStats::kStatusesMax - 1));
}

TEST(route_stats, nothing_is_lost_between_threads) {
  RouteStats stats;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&stats, i] {
      for (int n = 0; n < 10'000; ++n) stats.add(200 + i, 1us);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const RouteStats::Snapshot snapshot = stats.snapshot();
  EXPECT_EQ(snapshot.count, 40'000u);
  ASSERT_EQ(snapshot.status_count, 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(snapshot.statuses[i].count, 10'000u);
}

}  // namespace
}  // namespace quoll::http
