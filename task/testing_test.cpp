#include "task/testing.hpp"

#include <gtest/gtest.h>

#include <set>

#include "task/event.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

Task<void> wait_for(Event& event) { co_await event.wait(); }

TEST(test_runtime, nothing_runs_before_it_is_polled) {
  TestRuntime test;
  Scope scope("test");
  bool ran = false;
  auto body = [](bool* out) -> Task<void> {
    *out = true;
    co_return;
  };
  test.spawn(scope, "body", body(&ran));
  EXPECT_FALSE(ran);
  test.poll();
  EXPECT_TRUE(ran);
}

TEST(test_runtime, run_reports_a_task_that_waits_for_what_never_comes) {
  TestRuntime test;
  test.set_patience(std::chrono::milliseconds(1));
  Event never;
  EXPECT_THROW(test.run(wait_for(never)), std::runtime_error);
  EXPECT_EQ(test.runtime().task_count(), 0u);
}

TEST(test_runtime, run_passes_cancelled_on) {
  TestRuntime test;
  auto body = []() -> Task<void> {
    CancelScope scope;
    scope.node().cancel(CancelReason::kUser);
    co_await yield();
  };
  EXPECT_THROW(test.run(body()), Cancelled);
}

TEST(cancel_at_every_await, visits_each_suspension_of_the_task) {
  TestRuntime test;
  std::vector<int> steps_of_runs;
  int steps = 0;
  auto body = [](int* count) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      co_await yield();
      ++*count;
    }
  };
  const int suspensions = cancel_at_every_await(
      test, [&] { return body(&steps); }, [&] { steps_of_runs.push_back(std::exchange(steps, 0)); });
  EXPECT_EQ(suspensions, 3);
  EXPECT_EQ(steps_of_runs, (std::vector<int>{0, 1, 2, 3}));
}

TEST(cancel_at_every_await, visits_the_suspensions_of_children_too) {
  TestRuntime test;
  std::set<int> stopped_after;
  int steps = 0;
  auto child = [](int* count) -> Task<void> {
    for (int i = 0; i < 4; ++i) {
      co_await yield();
      ++*count;
    }
  };
  auto body = [](Task<void> work) -> Task<void> {
    Scope scope("test");
    scope.spawn("child", std::move(work));
    co_await scope.join();
  };
  cancel_at_every_await(
      test, [&] { return body(child(&steps)); }, [&] { stopped_after.insert(std::exchange(steps, 0)); });
  EXPECT_EQ(stopped_after, (std::set<int>{0, 1, 2, 3, 4}));
}

TEST(CancelAtEveryAwaitDeathTest, a_run_that_ignores_its_cancel_ends_the_process_and_names_the_place) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        TestRuntime test;
        test.set_patience(std::chrono::milliseconds(1));
        Event never;
        auto body = [](Event& event) -> Task<void> {
          CancelScope shield(CancelScope::Kind::kShield);
          co_await event.wait();
        };
        cancel_at_every_await(test, [&] { return body(never); });
      },
      "testing_test.cpp:[0-9]+");
}

TEST(cancel_at_every_await, passes_a_failure_on) {
  TestRuntime test;
  auto body = []() -> Task<void> {
    throw Error(ErrorClass::kInternal, "broken");
    co_return;
  };
  EXPECT_THROW(cancel_at_every_await(test, [&] { return body(); }), Error);
}

}  // namespace
}  // namespace quoll::task
