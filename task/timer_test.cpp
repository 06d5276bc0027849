#include "task/timer.hpp"

#include <gtest/gtest.h>

#include "task/testing.hpp"

namespace quoll::task {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Task<void> sleep_and_note(std::chrono::nanoseconds time, std::vector<int>* order, int name) {
  co_await sleep_for(time);
  order->push_back(name);
}

class TimerTest : public testing::Test {
 protected:
  void advance(std::chrono::nanoseconds time) {
    clock_.set(clock_.now_ns() + time.count());
    test_.worker().fire_due_timers();
    test_.poll();
  }
  ManualClock clock_;
  TestRuntime test_{clock_};
  Scope scope_{"test"};
  std::vector<int> order_;
};

TEST_F(TimerTest, sleepers_wake_in_the_order_of_their_deadlines_and_not_before) {
  test_.spawn(scope_, "three", sleep_and_note(seconds(3), &order_, 3));
  test_.spawn(scope_, "one", sleep_and_note(seconds(1), &order_, 1));
  test_.spawn(scope_, "two", sleep_and_note(seconds(2), &order_, 2));
  test_.poll();
  EXPECT_EQ(test_.worker().tasks()[0]->state, TaskState::kSleep);
  advance(milliseconds(999));
  EXPECT_TRUE(order_.empty());
  advance(milliseconds(1));
  EXPECT_EQ(order_, (std::vector<int>{1}));
  advance(seconds(5));
  EXPECT_EQ(order_, (std::vector<int>{1, 2, 3}));
}

TEST_F(TimerTest, an_absolute_deadline_is_of_the_workers_clock) {
  auto body = [](std::int64_t deadline_ns, bool* done) -> Task<void> {
    co_await sleep_until_ns(deadline_ns);
    *done = true;
  };
  bool done = false;
  test_.spawn(scope_, "sleep", body(clock_.now_ns() + 500, &done));
  test_.poll();
  EXPECT_FALSE(done);
  advance(std::chrono::nanoseconds(500));
  EXPECT_TRUE(done);
}

TEST_F(TimerTest, a_cancelled_sleep_ends_at_once_and_its_timer_is_gone) {
  test_.spawn(scope_, "sleep", sleep_and_note(seconds(1), &order_, 1));
  test_.poll();
  scope_.cancel(CancelReason::kUser);
  test_.poll();
  EXPECT_EQ(scope_.size(), 0u);
  advance(seconds(2));
  EXPECT_TRUE(order_.empty());
}

TEST_F(TimerTest, a_cancel_after_the_timer_fired_changes_nothing) {
  test_.spawn(scope_, "sleep", sleep_and_note(seconds(1), &order_, 1));
  test_.poll();
  clock_.set(clock_.now_ns() + 1'000'000'000);
  test_.worker().fire_due_timers();
  scope_.cancel(CancelReason::kUser);
  test_.poll();
  EXPECT_EQ(order_, (std::vector<int>{1}));
}

TEST_F(TimerTest, sleeping_for_ever_and_for_less_than_nothing_are_both_sound) {
  test_.spawn(scope_, "ever", sleep_and_note(std::chrono::nanoseconds::max(), &order_, 1));
  test_.spawn(scope_, "past", sleep_and_note(std::chrono::nanoseconds::min(), &order_, 2));
  test_.poll();
  advance(seconds(0));
  EXPECT_EQ(order_, (std::vector<int>{2}));
  advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(order_, (std::vector<int>{2}));
  scope_.cancel(CancelReason::kUser);
  test_.poll();
}

Task<void> sleep_often(int times) {
  for (int i = 0; i < times; ++i) co_await sleep_for(std::chrono::microseconds(1));
}

// A worker has one kernel timer: an earlier deadline moves it, a later one is looked at when it fires.
TEST(timer, the_kernel_timer_is_moved_for_an_earlier_deadline) {
  TestRuntime test;
  Scope scope("test");
  std::vector<int> order;
  test.spawn(scope, "late", sleep_and_note(std::chrono::hours(1), &order, 3));
  test.poll();
  test.run(sleep_and_note(milliseconds(2), &order, 2));
  test.run(sleep_and_note(milliseconds(1), &order, 1));
  EXPECT_EQ(order, (std::vector<int>{2, 1}));
  scope.cancel(CancelReason::kUser);
  test.poll();
}

TEST(timer, cancelled_at_every_await_nothing_is_left) {
  TestRuntime test;
  EXPECT_EQ(cancel_at_every_await(
                test, [] { return sleep_often(3); }, [&] { EXPECT_EQ(test.runtime().task_count(), 0u); }),
            3);
}

Task<void> append(std::string* text, char letter, int times) {
  for (int i = 0; i < times; ++i) {
    text->push_back(letter);
    co_await yield();
  }
}

TEST(timer, yield_takes_turns) {
  TestRuntime test;
  Scope scope("test");
  std::string text;
  test.spawn(scope, "a", append(&text, 'a', 3));
  test.spawn(scope, "b", append(&text, 'b', 3));
  test.poll();
  EXPECT_EQ(text, "ababab");
}

TEST(timer, yield_throws_when_cancelled_meanwhile) {
  TestRuntime test;
  Scope scope("test");
  std::string text;
  auto body = [](Scope& own, std::string* out) -> Task<void> {
    own.cancel(CancelReason::kUser);
    try {
      co_await yield();
    } catch (const Cancelled&) {
      *out = "cancelled";
    }
  };
  test.spawn(scope, "body", body(scope, &text));
  test.poll();
  EXPECT_EQ(text, "cancelled");
}

}  // namespace
}  // namespace quoll::task
