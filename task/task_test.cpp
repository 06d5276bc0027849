#include "task/task.hpp"

#include <gtest/gtest.h>

#include "task/event.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

Task<int> add(int a, int b) { co_return a + b; }

Task<int> add_deep(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await add_deep(depth - 1);
}

Task<void> fail() {
  throw Error(ErrorClass::kNotFound, "no such thing");
  co_return;
}

TEST(task, returns_the_value_of_an_awaited_child) {
  TestRuntime test;
  EXPECT_EQ(test.run(add(2, 3)), 5);
}

TEST(task, awaits_deep_chains_without_using_the_stack) {
  TestRuntime test;
  EXPECT_EQ(test.run(add_deep(20'000)), 20'000);
}

TEST(task, throws_the_childs_exception_at_the_await) {
  TestRuntime test;
  EXPECT_THROW(test.run(fail()), Error);
}

Task<std::unique_ptr<int>> make_unique_later(int value) {
  co_await yield();
  co_return std::make_unique<int>(value);
}

TEST(task, carries_values_that_can_only_be_moved) {
  TestRuntime test;
  EXPECT_EQ(*test.run(make_unique_later(7)), 7);
}

Task<void> set(std::shared_ptr<int> value) {
  *value = 1;
  co_return;
}

TEST(task, one_that_is_never_awaited_does_not_run_and_frees_its_arguments) {
  auto value = std::make_shared<int>(0);
  {
    const Task<void> dropped = set(value);
    EXPECT_EQ(value.use_count(), 2);
  }
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_EQ(*value, 0);
}

TEST(task, assignment_drops_the_coroutine_that_was_held) {
  auto first = std::make_shared<int>(0);
  auto second = std::make_shared<int>(0);
  Task<void> work = set(first);
  work = set(second);
  EXPECT_EQ(first.use_count(), 1);
  TestRuntime test;
  test.run(std::move(work));
  EXPECT_EQ(*second, 1);
}

Task<void> await_event(Event& event) { co_await event.wait(); }
Task<int> await_event_deep(Event& event, int depth) {
  if (depth == 0) {
    co_await event.wait();
    co_return 0;
  }
  co_return 1 + co_await await_event_deep(event, depth - 1);
}

Task<int> inline_deep(Event& event, int depth, int* suspended) {
  co_return co_await start_inline(await_event_deep(event, depth), [suspended] { ++*suspended; });
}

TEST(start_inline, a_child_that_does_not_suspend_returns_without_the_callback) {
  TestRuntime test;
  Event event;
  event.set();
  int suspended = 0;
  EXPECT_EQ(test.run(inline_deep(event, 3, &suspended)), 3);
  EXPECT_EQ(suspended, 0);
}

TEST(start_inline, a_child_that_suspends_calls_back_once_and_returns_later) {
  TestRuntime test;
  Event event;
  Scope scope("test");
  int suspended = 0;
  int result = 0;
  auto body = [](Event& wait_for, int* count, int* out) -> Task<void> {
    *out = co_await inline_deep(wait_for, 3, count);
  };
  test.spawn(scope, "body", body(event, &suspended, &result));
  test.poll();
  EXPECT_EQ(suspended, 1);
  EXPECT_EQ(result, 0);
  event.set();
  test.poll();
  EXPECT_EQ(suspended, 1);
  EXPECT_EQ(result, 3);
}

TEST(start_inline, nested_ones_each_return_to_their_own_caller) {
  TestRuntime test;
  for (const bool ready : {true, false}) {
    Event event;
    if (ready) event.set();
    int outer = 0, inner = 0, result = 0;
    auto body = [](Event& wait_for, int* outer_count, int* inner_count, int* out) -> Task<void> {
      *out = co_await start_inline(inline_deep(wait_for, 2, inner_count), [outer_count] { ++*outer_count; });
    };
    Scope scope("test");
    test.spawn(scope, "body", body(event, &outer, &inner, &result));
    test.poll();
    EXPECT_EQ(outer, ready ? 0 : 1);
    EXPECT_EQ(inner, ready ? 0 : 1);
    event.set();
    test.poll();
    EXPECT_EQ(result, 2);
    EXPECT_EQ(scope.size(), 0u);
  }
}

TEST(start_inline, the_childs_exception_is_thrown_whether_it_suspended_or_not) {
  TestRuntime test;
  auto late_failure = []() -> Task<void> {
    co_await yield();
    co_await fail();
  };
  auto now = []() -> Task<void> { co_await start_inline(fail(), [] {}); };
  auto later = [](Task<void> work) -> Task<void> { co_await start_inline(std::move(work), [] {}); };
  EXPECT_THROW(test.run(now()), Error);
  EXPECT_THROW(test.run(later(late_failure())), Error);
}

TEST(start_inline, the_callback_may_wake_the_child_it_reports) {
  TestRuntime test;
  Event event;
  auto body = [](Event& own) -> Task<void> { co_await start_inline(await_event(own), [&own] { own.set(); }); };
  test.run(body(event));
  EXPECT_TRUE(event.is_set());
}

Task<void> yield_twice() {
  co_await yield();
  co_await yield();
}

Task<void> start_yield_twice(int* suspended) {
  co_await start_inline(yield_twice(), [suspended] { ++*suspended; });
}

TEST(start_inline, cancelled_at_every_await_nothing_is_left) {
  TestRuntime test;
  int suspended = 0;
  EXPECT_EQ(cancel_at_every_await(test, [&] { return start_yield_twice(&suspended); }), 2);
  EXPECT_EQ(suspended, 3);
}

}  // namespace
}  // namespace quoll::task
