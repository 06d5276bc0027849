#include "task/worker.hpp"

#include <gtest/gtest.h>

#include <future>
#include <random>

#include "task/channel.hpp"
#include "task/combine.hpp"
#include "task/event.hpp"
#include "task/mutex.hpp"
#include "task/runtime.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

// Printed, so that a failing run can be repeated: QUOLL_TEST_SEED=n.
std::uint32_t seed() {
  const char* const given = std::getenv("QUOLL_TEST_SEED");
  const std::uint32_t value = given != nullptr ? std::stoul(given) : std::random_device()();
  std::printf("seed %u\n", value);
  return value;
}

void await_end(const Scope& scope) {
  while (scope.size() > 0) std::this_thread::yield();
}

class WorkerTest : public testing::Test {
 protected:
  explicit WorkerTest(std::size_t workers = 3) {
    for (std::size_t i = 0; i < workers; ++i) runtime_.add_worker("worker-" + std::to_string(i));
    runtime_.start();
  }
  ~WorkerTest() override { EXPECT_EQ(runtime_.task_count(), 0u); }
  Runtime runtime_;
};

Task<void> note_worker(std::promise<Worker*>* where) {
  where->set_value(&this_task::worker());
  co_return;
}

TEST_F(WorkerTest, spawn_on_runs_the_task_on_that_worker) {
  for (const auto& worker : runtime_.workers()) {
    Scope scope("test");
    std::promise<Worker*> where;
    scope.spawn_on(*worker, "note", note_worker(&where));
    EXPECT_EQ(where.get_future().get(), worker.get());
    await_end(scope);
  }
}

Task<void> produce(Sender<int> out, int count) {
  for (int i = 0; i < count; ++i) {
    if (!co_await out.send(i)) co_return;
  }
}

Task<void> relay(Receiver<int> in, Sender<int> out) {
  while (auto value = co_await in.receive()) {
    if (!co_await out.send(*value)) co_return;
  }
}

Task<void> consume(Receiver<int> in, std::promise<std::vector<int>>* result) {
  std::vector<int> values;
  while (auto value = co_await in.receive()) values.push_back(*value);
  result->set_value(std::move(values));
}

TEST_F(WorkerTest, channels_carry_everything_in_order_between_workers) {
  for (const std::size_t capacity : {0, 1, 64}) {
    auto [first_in, first_out] = make_channel<int>(capacity);
    auto [second_in, second_out] = make_channel<int>(capacity);
    Scope scope("test");
    std::promise<std::vector<int>> result;
    scope.spawn_on(runtime_.worker(0), "produce", produce(std::move(first_in), 3000));
    scope.spawn_on(runtime_.worker(1), "relay", relay(std::move(first_out), std::move(second_in)));
    scope.spawn_on(runtime_.worker(2), "consume", consume(std::move(second_out), &result));
    const std::vector<int> values = result.get_future().get();
    ASSERT_EQ(values.size(), 3000u);
    EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
    await_end(scope);
  }
}

Task<void> add_under_lock(Mutex& mutex, Semaphore& semaphore, int* sum, std::atomic<int>* inside, int times) {
  for (int i = 0; i < times; ++i) {
    auto permit = co_await semaphore.acquire();
    if (inside->fetch_add(1) >= 2) std::abort();
    {
      auto guard = co_await mutex.lock();
      const int before = *sum;
      co_await yield();
      *sum = before + 1;
    }
    inside->fetch_sub(1);
  }
}

TEST_F(WorkerTest, mutex_and_semaphore_hold_between_workers) {
  Mutex mutex;
  Semaphore semaphore(2);
  int sum = 0;
  std::atomic<int> inside = 0;
  Scope scope("test");
  for (int i = 0; i < 6; ++i) {
    scope.spawn_on(runtime_.worker(i % 3), "add", add_under_lock(mutex, semaphore, &sum, &inside, 200));
  }
  await_end(scope);
  EXPECT_EQ(sum, 1200);
}

Task<void> wait_for_ever() {
  Event never;
  co_await never.wait();
}

// Goal: cancelling a scope while other threads still spawn into it reaches every task, also one whose record is just
// being made for another worker.
TEST_F(WorkerTest, a_cancel_from_outside_meets_spawns_in_flight) {
  for (int round = 0; round < 300; ++round) {
    Scope scope("test");
    std::thread canceller([&] { scope.cancel(CancelReason::kShutdown); });
    for (int i = 0; i < 12; ++i) scope.spawn_on(runtime_.worker(i % 3), "wait", wait_for_ever());
    canceller.join();
    await_end(scope);
  }
}

Task<void> join_remote_children(Runtime& runtime, int children) {
  Scope scope("children");
  for (int i = 0; i < children; ++i) scope.spawn_on(runtime.worker(i % 3), "child", wait_for_ever());
  co_await scope.join();
}

TEST_F(WorkerTest, a_cancel_reaches_children_on_other_workers_and_the_join_ends) {
  for (int round = 0; round < 200; ++round) {
    Scope scope("test");
    for (int i = 0; i < 3; ++i) scope.spawn_on(runtime_.worker(i), "parent", join_remote_children(runtime_, 4));
    scope.cancel(CancelReason::kClientGone);
    await_end(scope);
  }
}

Task<void> nest_deadlines(int depth) {
  DeadlineScope deadline(std::chrono::microseconds(50 * depth));
  if (depth > 0) {
    co_await nest_deadlines(depth - 1);
  } else {
    co_await sleep_for(std::chrono::microseconds(100));
  }
}

Task<void> mix(std::uint32_t seed_value, Mutex& mutex, Sender<int> out, Receiver<int> in) {
  std::minstd_rand random(seed_value);
  while (true) {
    switch (random() % 7) {
      case 0:
        co_await yield();
        break;
      case 1: {
        auto guard = co_await mutex.lock();
        co_await yield();
        break;
      }
      case 2:
        co_await out.send(1);
        break;
      case 3:
        co_await in.receive();
        break;
      case 4:
        co_await sleep_for(std::chrono::microseconds(random() % 50));
        break;
      case 5:
        co_await blocking([] {});
        break;
      default:
        try {
          co_await nest_deadlines(3);
        } catch (const Cancelled&) {
          this_task::cancel_token().throw_if_cancelled();
        }
    }
  }
}

// Method: tasks on all workers do all that can suspend, in random order, until a cancel from outside comes at a random
// moment; then each must end.
TEST_F(WorkerTest, random_work_on_all_workers_ends_when_cancelled) {
  std::minstd_rand random(seed());
  for (int round = 0; round < 40; ++round) {
    Mutex mutex;
    Scope scope("test");
    auto [a_in, a_out] = make_channel<int>(random() % 3);
    auto [b_in, b_out] = make_channel<int>(random() % 3);
    auto [c_in, c_out] = make_channel<int>(random() % 3);
    scope.spawn_on(runtime_.worker(0), "mix", mix(random(), mutex, std::move(a_in), std::move(c_out)));
    scope.spawn_on(runtime_.worker(1), "mix", mix(random(), mutex, std::move(b_in), std::move(a_out)));
    scope.spawn_on(runtime_.worker(2), "mix", mix(random(), mutex, std::move(c_in), std::move(b_out)));
    const int turns = static_cast<int>(random() % 2000);
    for (int i = 0; i < turns; ++i) std::this_thread::yield();
    scope.cancel(CancelReason::kShutdown);
    await_end(scope);
    EXPECT_EQ(mutex.holder_id(), 0u);
  }
}

TEST_F(WorkerTest, post_runs_on_the_workers_thread_outside_of_any_task) {
  std::promise<bool> result;
  runtime_.worker(1).post(
      [&] { result.set_value(Worker::current() == &runtime_.worker(1) && Worker::current_task() == nullptr); });
  EXPECT_TRUE(result.get_future().get());
}

Task<void> yield_until(bool* stop, Worker* worker, bool post_stop) {
  if (post_stop) worker->post([stop] { *stop = true; });
  while (!*stop) co_await yield();
}

TEST(worker, tasks_that_wake_each_other_without_end_do_not_starve_its_io) {
  Runtime runtime;
  Worker& worker = runtime.add_worker("worker");
  Scope scope("test");
  bool stop = false;
  scope.spawn_on(worker, "first", yield_until(&stop, &worker, true));
  scope.spawn_on(worker, "second", yield_until(&stop, &worker, false));
  while (scope.size() > 0) worker.poll();
  EXPECT_TRUE(stop);
}

Task<void> report_running(std::promise<bool>* result) {
  result->set_value(this_task::worker().running_id() == this_task::id());
  co_return;
}

TEST_F(WorkerTest, the_id_of_the_running_task_can_be_read_from_outside) {
  Scope scope("test");
  std::promise<bool> result;
  scope.spawn_on(runtime_.worker(0), "report", report_running(&result));
  EXPECT_TRUE(result.get_future().get());
  await_end(scope);
}

}  // namespace
}  // namespace quoll::task
