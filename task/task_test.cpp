#include "task/task.hpp"

#include <gtest/gtest.h>

#include "task/channel.hpp"
#include "task/combine.hpp"
#include "task/event.hpp"
#include "task/mutex.hpp"
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

Task<void> wait_for(Event& event) { co_await event.wait(); }

TEST(task, a_record_shows_state_place_and_frames_while_it_waits) {
  TestRuntime test;
  Scope scope("scope");
  Event event;
  test.spawn(scope, "waiter", wait_for(event));
  test.poll();
  ASSERT_EQ(test.worker().tasks().size(), 1u);
  const TaskRecord& record = *test.worker().tasks()[0];
  EXPECT_EQ(to_string(record.state), "sync.Cond.Wait");
  ASSERT_NE(record.leaf, nullptr);
  EXPECT_NE(std::string(record.leaf->at.function_name()).find("wait_for"), std::string::npos);
  EXPECT_EQ(record.leaf->caller, nullptr);
  EXPECT_EQ(record.wait->target().object, &event);
  event.set();
  test.poll();
  EXPECT_EQ(test.worker().tasks().size(), 0u);
}

Task<void> ping(Sender<int> out, int n) {
  for (int i = 0; i < n; ++i) co_await out.send(i);
}

Task<int> sum(Receiver<int> in) {
  int total = 0;
  while (auto value = co_await in.receive()) total += *value;
  co_return total;
}

TEST(task, channel_carries_all_values_and_ends_with_its_last_sender) {
  TestRuntime test;
  auto [sender, receiver] = make_channel<int>(2);
  Scope scope("scope");
  test.spawn(scope, "ping", ping(std::move(sender), 100));
  EXPECT_EQ(test.run(sum(std::move(receiver))), 4950);
}

TEST(task, cancelled_receive_throws_and_leaves_nothing) {
  ManualClock clock;
  TestRuntime test(clock);
  auto [sender, receiver] = make_channel<int>(2);
  Scope scope("scope");
  auto body = [](Receiver<int> in) -> Task<void> { co_await in.receive(); };
  test.spawn(scope, "receive", body(std::move(receiver)));
  test.poll();
  EXPECT_EQ(scope.size(), 1u);
  scope.cancel(CancelReason::kClientGone);
  test.poll();
  EXPECT_EQ(scope.size(), 0u);
  int value = 1;
  EXPECT_FALSE(sender.try_send(value));
}

Task<int> slow(std::chrono::seconds time) {
  co_await sleep_for(time);
  co_return 1;
}

TEST(task, deadline_cancels_the_work_and_says_so) {
  ManualClock clock;
  TestRuntime test(clock);
  Scope scope("scope");
  std::string outcome;
  auto body = [](std::string* out) -> Task<void> {
    try {
      co_await with_deadline(std::chrono::seconds(2), slow(std::chrono::seconds(3)));
      *out = "done";
    } catch (const Error& error) {
      *out = to_string(error.error_class());
    }
  };
  test.spawn(scope, "deadline", body(&outcome));
  test.poll();
  EXPECT_EQ(outcome, "");
  clock.set(clock.now_ns() + 2'000'000'000);
  test.worker().fire_due_timers();
  test.poll();
  EXPECT_EQ(outcome, "deadline_exceeded");
}

Task<void> lock_and_wait(Mutex& mutex, Event& event) {
  auto guard = co_await mutex.lock();
  co_await event.wait();
}

TEST(task, a_mutex_names_its_holder_and_passes_on) {
  TestRuntime test;
  Mutex mutex;
  Event event;
  Scope scope("scope");
  test.spawn(scope, "first", lock_and_wait(mutex, event));
  test.spawn(scope, "second", lock_and_wait(mutex, event));
  test.poll();
  const auto tasks = test.worker().tasks();
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[1]->wait->target().holder_id, tasks[0]->id);
  event.set();
  test.poll();
  EXPECT_EQ(scope.size(), 0u);
  EXPECT_EQ(mutex.holder_id(), 0u);
}

TEST(task, when_all_joins_and_throws_the_cause) {
  TestRuntime test;
  auto both = [](int a, int b) -> Task<int> {
    auto [x, y] = co_await when_all(add(a, 0), add(b, 0));
    co_return x + y;
  };
  EXPECT_EQ(test.run(both(1, 2)), 3);
  auto broken = []() -> Task<void> { co_await when_all(slow(std::chrono::seconds(1000)), fail()); };
  EXPECT_THROW(test.run(broken()), Error);
}

TEST(task, blocking_runs_on_the_pool) {
  TestRuntime test;
  auto body = []() -> Task<std::thread::id> { co_return co_await blocking([] { return std::this_thread::get_id(); }); };
  EXPECT_NE(test.run(body()), std::this_thread::get_id());
}

TEST(task, cancel_at_every_await_visits_each_suspension) {
  TestRuntime test;
  int runs = 0;
  auto body = [](int* count) -> Task<void> {
    ++*count;
    co_await yield();
    co_await yield();
    co_await blocking([] {});
  };
  EXPECT_EQ(cancel_at_every_await(test, [&] { return body(&runs); }), 3);
  EXPECT_EQ(runs, 4);
}

}  // namespace
}  // namespace quoll::task
