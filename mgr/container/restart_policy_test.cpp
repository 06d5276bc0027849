#include "mgr/container/restart_policy.hpp"

#include <gtest/gtest.h>

namespace quoll::mgr {
namespace {

using When = RestartPolicy::When;
constexpr std::int64_t kSecond = 1'000'000'000;

ContainerState exited(int code, int restart_count = 0, bool stopped_by_user = false) {
  ContainerState state;
  state.status = ContainerStatus::kExited;
  state.exit_code = code;
  state.started_at_ns = kSecond;
  state.finished_at_ns = 2 * kSecond;
  state.restart_count = restart_count;
  state.stopped_by_user = stopped_by_user;
  return state;
}

TEST(restart_policy, decides_by_policy_exit_code_count_and_who_stopped_it) {
  EXPECT_FALSE(restarts_after_exit({When::kNo}, exited(1)));
  for (const When when : {When::kAlways, When::kUnlessStopped}) {
    EXPECT_TRUE(restarts_after_exit({when}, exited(0)));
    EXPECT_TRUE(restarts_after_exit({when}, exited(1, 1000)));
    EXPECT_FALSE(restarts_after_exit({when}, exited(137, 0, true)));
  }
  EXPECT_FALSE(restarts_after_exit({When::kOnFailure}, exited(0)));
  EXPECT_TRUE(restarts_after_exit({When::kOnFailure}, exited(1, 1000)));
  EXPECT_TRUE(restarts_after_exit({When::kOnFailure, 3}, exited(1, 2)));
  EXPECT_FALSE(restarts_after_exit({When::kOnFailure, 3}, exited(1, 3)));
  EXPECT_FALSE(restarts_after_exit({When::kOnFailure}, exited(1, 0, true)));
}

TEST(restart_policy, the_daemon_starts_what_ran_and_always_even_what_was_stopped) {
  EXPECT_FALSE(restarts_with_daemon({When::kNo}, exited(1)));
  EXPECT_TRUE(restarts_with_daemon({When::kAlways}, exited(0, 0, true)));
  EXPECT_TRUE(restarts_with_daemon({When::kUnlessStopped}, exited(0)));
  EXPECT_FALSE(restarts_with_daemon({When::kUnlessStopped}, exited(0, 0, true)));
  EXPECT_TRUE(restarts_with_daemon({When::kOnFailure}, exited(143)));
  EXPECT_FALSE(restarts_with_daemon({When::kOnFailure}, exited(0)));
  ContainerState created;
  EXPECT_FALSE(restarts_with_daemon({When::kAlways}, created));
}

TEST(restart_policy, the_delay_doubles_up_to_a_minute_and_begins_again_after_a_long_run) {
  ContainerState state = exited(1);
  for (const std::int64_t expected : {100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000}) {
    state.restart_delay_ms = next_restart_delay_ms(state);
    EXPECT_EQ(state.restart_delay_ms, expected);
  }
  state.finished_at_ns = state.started_at_ns + 10 * kSecond;
  EXPECT_EQ(next_restart_delay_ms(state), 100);
}

}  // namespace
}  // namespace quoll::mgr
