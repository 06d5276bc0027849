#include "mgr/container/container_health.hpp"

#include <gtest/gtest.h>

namespace quoll::mgr {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

HealthConfig config(int retries, std::int64_t start_period_ns = 0) {
  HealthConfig health;
  health.test = {"CMD", "true"};
  health.retries = retries;
  health.start_period_ns = start_period_ns;
  return with_health_defaults(health);
}

HealthResult result(int code, std::int64_t start_ns) { return {start_ns, start_ns + 1, code, "text"}; }

TEST(container_health, becomes_healthy_at_once_and_unhealthy_after_the_retries) {
  Health health;
  health.add(result(1, 10), config(2), 0);
  EXPECT_EQ(health.status, HealthStatus::kStarting);
  health.add(result(0, 20), config(2), 0);
  EXPECT_EQ(health.status, HealthStatus::kHealthy);
  EXPECT_EQ(health.failing_streak, 0);
  health.add(result(1, 30), config(2), 0);
  EXPECT_EQ(health.status, HealthStatus::kHealthy);
  health.add(result(-1, 40), config(2), 0);
  EXPECT_EQ(health.status, HealthStatus::kUnhealthy);
  EXPECT_EQ(health.failing_streak, 2);
}

TEST(container_health, failures_in_the_start_period_do_not_count) {
  Health health;
  for (int n = 0; n < 5; ++n) health.add(result(1, n * kSecond), config(1, 10 * kSecond), 0);
  EXPECT_EQ(health.status, HealthStatus::kStarting);
  EXPECT_EQ(health.failing_streak, 0);
  health.add(result(1, 10 * kSecond), config(1, 10 * kSecond), 0);
  EXPECT_EQ(health.status, HealthStatus::kUnhealthy);
}

TEST(container_health, keeps_the_last_results_and_a_bounded_part_of_their_output) {
  Health health;
  for (int n = 0; n < 7; ++n) health.add({n, n, 0, std::string(5000, 'x')}, config(1), 0);
  ASSERT_EQ(health.log.size(), Health::kResultsMax);
  EXPECT_EQ(health.log.front().start_ns, 2);
  EXPECT_EQ(health.log.front().output.size(), Health::kOutputBytesMax);
}

TEST(container_health, probes_come_faster_while_it_starts) {
  Health health;
  const HealthConfig starting = config(1, 10 * kSecond);
  EXPECT_EQ(probe_delay_ns(health, starting, 0, kSecond), 5 * kSecond);
  EXPECT_EQ(probe_delay_ns(health, starting, 0, 10 * kSecond), 30 * kSecond);
  EXPECT_EQ(probe_delay_ns(health, config(1), 0, 0), 30 * kSecond);
}

}  // namespace
}  // namespace quoll::mgr
