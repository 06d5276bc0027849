#include "task/blocking.hpp"

#include <gtest/gtest.h>

#include <future>

#include "task/error.hpp"
#include "task/testing.hpp"

namespace quoll::task {
namespace {

TEST(blocking, runs_the_function_on_a_thread_of_the_pool) {
  TestRuntime test;
  auto body = []() -> Task<std::thread::id> { co_return co_await blocking([] { return std::this_thread::get_id(); }); };
  EXPECT_NE(test.run(body()), std::this_thread::get_id());
}

TEST(blocking, returns_values_that_can_only_be_moved) {
  TestRuntime test;
  auto body = []() -> Task<int> {
    auto value = co_await blocking([kept = std::make_unique<int>(8)]() mutable { return std::move(kept); });
    co_return *value;
  };
  EXPECT_EQ(test.run(body()), 8);
}

TEST(blocking, throws_what_the_function_throws) {
  TestRuntime test;
  auto body = []() -> Task<void> {
    co_await blocking([]() -> int { throw Error(ErrorClass::kConflict, "on the pool"); });
  };
  EXPECT_THROW(test.run(body()), Error);
}

TEST(blocking, is_shown_as_syscall_and_its_cancel_waits_for_the_function) {
  TestRuntime test;
  Scope scope("test");
  std::promise<void> release;
  int value = 0;
  auto body = [](std::shared_future<void> gate, int* out) -> Task<void> {
    *out = co_await blocking([gate] {
      gate.wait();
      return 5;
    });
  };
  test.spawn(scope, "block", body(release.get_future().share(), &value));
  test.poll();
  EXPECT_EQ(test.worker().tasks()[0]->state, TaskState::kSyscall);
  scope.cancel(CancelReason::kClientGone);
  test.poll();
  EXPECT_EQ(scope.size(), 1u);
  release.set_value();
  while (scope.size() > 0) test.worker().run_one_for(std::chrono::seconds(10));
  EXPECT_EQ(value, 5) << "what the function returned is kept";
}

TEST(blocking, a_function_that_takes_a_stop_token_is_told_of_the_cancel) {
  TestRuntime test;
  Scope scope("test");
  bool stopped = false;
  auto body = [](bool* out) -> Task<void> {
    *out = co_await blocking([](std::stop_token token) {
      std::promise<void> asked;
      const std::stop_callback on_stop(token, [&] { asked.set_value(); });
      asked.get_future().wait();
      return token.stop_requested();
    });
  };
  test.spawn(scope, "block", body(&stopped));
  test.poll();
  scope.cancel(CancelReason::kShutdown);
  while (scope.size() > 0) test.worker().run_one_for(std::chrono::seconds(10));
  EXPECT_TRUE(stopped);
}

TEST(blocking, under_a_cancelled_token_the_function_is_not_called) {
  TestRuntime test;
  Scope scope("test");
  scope.cancel(CancelReason::kUser);
  bool called = false;
  auto body = [](bool* out) -> Task<void> { co_await blocking([out] { *out = true; }); };
  test.spawn(scope, "block", body(&called));
  test.poll();
  EXPECT_EQ(scope.size(), 0u);
  EXPECT_FALSE(called);
}

TEST(blocking, cancelled_at_every_await_nothing_is_left) {
  TestRuntime test;
  auto body = []() -> Task<void> {
    co_await blocking([] {});
    co_await blocking([] { return 1; });
  };
  EXPECT_EQ(
      cancel_at_every_await(test, [&] { return body(); }, [&] { EXPECT_EQ(test.runtime().task_count(), 0u); }), 2);
}

struct CountingJob final : BlockingPool::Job {
  void run() override {
    const int now = ++*running;
    int seen = most->load();
    while (seen < now && !most->compare_exchange_weak(seen, now)) {
    }
    std::this_thread::yield();
    --*running;
    ++*ended;
  }
  std::atomic<int>* running = nullptr;
  std::atomic<int>* most = nullptr;
  std::atomic<int>* ended = nullptr;
};

TEST(blocking_pool, uses_no_more_threads_than_allowed_and_its_end_waits_for_all_jobs) {
  std::atomic<int> running = 0, most = 0, ended = 0;
  std::vector<CountingJob> jobs(200);
  {
    BlockingPool pool(3);
    for (CountingJob& job : jobs) {
      job.running = &running;
      job.most = &most;
      job.ended = &ended;
      pool.submit(job);
    }
  }
  EXPECT_EQ(ended, 200);
  EXPECT_LE(most, 3);
}

TEST(blocking_pool, without_any_thread_a_job_is_refused_and_not_kept) {
  std::atomic<int> running = 0, most = 0, ended = 0;
  bool broken = true;
  BlockingPool pool(3, [&](std::function<void()> body) {
    if (broken) throw std::system_error(EAGAIN, std::generic_category());
    std::thread(std::move(body)).detach();
  });
  const auto make_job = [&] {
    CountingJob job;
    job.running = &running;
    job.most = &most;
    job.ended = &ended;
    return job;
  };
  {
    CountingJob refused = make_job();
    EXPECT_THROW(pool.submit(refused), Error);
  }
  broken = false;
  CountingJob accepted = make_job();
  pool.submit(accepted);
  while (ended < 1) std::this_thread::yield();
  EXPECT_EQ(ended, 1);
}

TEST(blocking_pool, where_no_further_thread_can_be_started_the_others_take_the_job) {
  std::atomic<int> running = 0, most = 0, ended = 0;
  std::promise<void> release;
  struct GateJob final : BlockingPool::Job {
    void run() override { gate.wait(); }
    std::shared_future<void> gate;
  } gate_job;
  gate_job.gate = release.get_future().share();
  bool broken = false;
  CountingJob job;
  job.running = &running;
  job.most = &most;
  job.ended = &ended;
  {
    BlockingPool pool(3, [&](std::function<void()> body) {
      if (broken) throw std::system_error(EAGAIN, std::generic_category());
      std::thread(std::move(body)).detach();
    });
    pool.submit(gate_job);
    broken = true;
    EXPECT_NO_THROW(pool.submit(job));
    release.set_value();
  }
  EXPECT_EQ(ended, 1);
}

}  // namespace
}  // namespace quoll::task
