#include "mgr/event/event_bus.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "mgr/wall_clock.hpp"
#include "task/error.hpp"
#include "task/testing.hpp"

namespace quoll::mgr {
namespace {

Event event(std::string action) { return {"container", std::move(action), "id", {}, 0}; }

class event_bus : public testing::Test {
 protected:
  static task::Task<void> collect(EventFollower* follower, std::string* actions, bool* ended) {
    while (const auto event = co_await follower->next()) *actions += event->action + " ";
    *ended = true;
  }
  std::string read_all(EventQuery query) {
    EventFollower follower(bus_, std::move(query));
    std::string actions;
    bool ended = false;
    test_.run(collect(&follower, &actions, &ended));
    return actions;
  }

  task::TestRuntime test_;
  EventBus bus_;
};

TEST_F(event_bus, gives_a_follower_what_comes_after_it) {
  bus_.publish(event("before"));
  EventFollower follower(bus_, {});
  std::string actions;
  bool ended = false;
  task::Scope scope("test");
  test_.spawn(scope, "follower", collect(&follower, &actions, &ended));
  test_.poll();
  EXPECT_EQ(actions, "");
  bus_.publish(event("create"));
  bus_.publish(event("start"));
  test_.poll();
  EXPECT_EQ(actions, "create start ");
  EXPECT_FALSE(ended);
  scope.cancel(task::CancelReason::kClientGone);
  while (scope.size() > 0) test_.poll();
}

TEST_F(event_bus, since_and_until_cut_the_history_and_filters_choose) {
  bus_.publish(event("one"));
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::int64_t middle = wall_now_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  bus_.publish(event("two"));
  bus_.publish(event("three"));
  const std::int64_t now = wall_now_ns();
  EXPECT_EQ(read_all({.since_ns = 1, .until_ns = now, .wanted = {}}), "one two three ");
  EXPECT_EQ(read_all({.since_ns = middle, .until_ns = now, .wanted = {}}), "two three ");
  EXPECT_EQ(read_all({.since_ns = {}, .until_ns = middle, .wanted = {}}), "one ");
  EXPECT_EQ(read_all({.since_ns = 1, .until_ns = now, .wanted = [](const Event& e) { return e.action == "two"; }}),
            "two ");
}

TEST_F(event_bus, until_in_the_future_ends_the_wait) {
  const std::int64_t start = wall_now_ns();
  EXPECT_EQ(read_all({.since_ns = {}, .until_ns = start + 20'000'000, .wanted = {}}), "");
  EXPECT_GE(wall_now_ns(), start + 20'000'000);
}

TEST_F(event_bus, a_reader_that_is_too_slow_is_told_and_costs_nothing) {
  EventFollower slow(bus_, {});
  for (std::size_t n = 0; n <= EventBus::kHistoryMax; ++n) bus_.publish(event("start"));
  try {
    test_.run(slow.next());
    FAIL() << "nothing thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kResourceExhausted);
  }
  // A new one reads all that is kept.
  std::string expected;
  for (std::size_t n = 0; n < EventBus::kHistoryMax; ++n) expected += "start ";
  EXPECT_EQ(read_all({.since_ns = 1, .until_ns = wall_now_ns(), .wanted = {}}), expected);
}

TEST_F(event_bus, large_events_push_out_old_ones) {
  Event large = event("large");
  large.attributes["label"] = std::string(EventBus::kHistoryBytes / 4, 'x');
  for (int n = 0; n < 8; ++n) bus_.publish(large);
  EXPECT_EQ(read_all({.since_ns = 1, .until_ns = wall_now_ns(), .wanted = {}}), "large large large ");
}

TEST_F(event_bus, release_ends_followers) {
  EventFollower follower(bus_, {});
  EXPECT_EQ(bus_.follower_count(), 1u);
  bus_.release();
  EXPECT_THROW(test_.run(follower.next()), Error);
  EventFollower later(bus_, {});
  EXPECT_THROW(test_.run(later.next()), Error);
}

TEST_F(event_bus, a_cancelled_follower_leaves_nothing) {
  {
    EventFollower follower(bus_, {});
    std::string actions;
    bool ended = false;
    task::Scope scope("test");
    test_.spawn(scope, "follower", collect(&follower, &actions, &ended));
    test_.poll();
    scope.cancel(task::CancelReason::kClientGone);
    while (scope.size() > 0) test_.poll();
    EXPECT_FALSE(ended);
  }
  EXPECT_EQ(bus_.follower_count(), 0u);
}

}  // namespace
}  // namespace quoll::mgr
