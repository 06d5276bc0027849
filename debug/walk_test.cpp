// Walks on real worker threads: while tasks come and go, with slow readers, and with workers that are blocked.
#include "debug/walk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "debug/dump.hpp"
#include "task/channel.hpp"
#include "task/event.hpp"
#include "task/runtime.hpp"
#include "task/scope.hpp"
#include "task/testing.hpp"
#include "task/this_task.hpp"
#include "task/timer.hpp"
#include "tests/debug_readers/dump_parser.hpp"

namespace quoll::debug {
namespace {

using debug_readers::DumpParser;
using debug_readers::ParsedTask;
using task::Task;

// Two workers that do the work and one that dumps, each with its thread.
class Threads {
 public:
  Threads() : one_(runtime_.add_worker("one")), two_(runtime_.add_worker("two")), debug_(runtime_.add_worker("debug")) {
    runtime_.start();
  }
  ~Threads() {
    scope_.cancel(task::CancelReason::kShutdown);
    run([](task::Scope* scope) -> Task<void> { co_await scope->join(); }(&scope_));
    runtime_.stop();
  }

  task::Runtime& runtime() { return runtime_; }
  task::Scope& scope() { return scope_; }
  task::Worker& one() { return one_; }
  task::Worker& two() { return two_; }
  task::Worker& debug() { return debug_; }

  // Runs `work` as a task of the debug worker and waits for its end.
  template <typename T>
  T run(Task<T> work) {
    std::promise<T> promise;
    task::Scope scope("test.run");
    scope.spawn_on(debug_, "test.run", fulfil(std::move(work), &promise));
    std::future<T> future = promise.get_future();
    if constexpr (std::is_void_v<T>) {
      future.wait();
      settle(scope);
      future.get();
    } else {
      future.wait();
      settle(scope);
      return future.get();
    }
  }
  // Waits until all that was posted to the workers so far has run.
  void settle(task::Scope& scope) {
    while (scope.size() > 0) std::this_thread::yield();
  }

 private:
  template <typename T>
  static Task<void> fulfil(Task<T> work, std::promise<T>* promise) {
    try {
      if constexpr (std::is_void_v<T>) {
        co_await std::move(work);
        promise->set_value();
      } else {
        promise->set_value(co_await std::move(work));
      }
    } catch (...) {
      promise->set_exception(std::current_exception());
    }
  }

  task::Runtime runtime_;
  task::Worker& one_;
  task::Worker& two_;
  task::Worker& debug_;
  task::Scope scope_{"test.threads"};
};

Task<void> lasting(task::Event& event) { co_await event.wait(); }

Task<void> short_lived(int yields) {
  for (int i = 0; i < yields; ++i) co_await task::yield();
}

// Starts and ends tasks around the lasting ones, so that the table is shuffled all the time.
Task<void> churn(std::uint32_t seed) {
  std::mt19937 random(seed);
  task::Scope scope("test.churn");
  while (!task::this_task::cancel_token().cancelled()) {
    for (std::uint32_t n = random() % 64; n > 0; --n) scope.spawn("short", short_lived(static_cast<int>(random() % 8)));
    try {
      co_await task::yield();
    } catch (const task::Cancelled&) {
      break;
    }
  }
  co_await scope.join();
}

// Spawns short-lived tasks between the lasting ones, so that lasting ones are moved when those end.
void fill(Threads& threads, task::Worker& worker, task::Event& event, int lasting_tasks, std::mt19937& random) {
  for (int i = 0; i < lasting_tasks; ++i) {
    threads.scope().spawn_on(worker, "lasting", lasting(event));
    threads.scope().spawn_on(worker, "short", short_lived(static_cast<int>(random() % 400)));
  }
}

// On a machine with more work than processors a healthy worker may be late. These tests are not about that.
DumpOptions patient() {
  DumpOptions options;
  options.answer_bound = std::chrono::minutes(1);
  return options;
}

class SeededWalk : public testing::TestWithParam<std::uint32_t> {};

TEST_P(SeededWalk, sees_each_task_that_lives_through_it_exactly_once) {
  const std::uint32_t seed = GetParam();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr int kLasting = 1500;
  task::Event event;
  Threads threads;
  threads.scope().spawn_on(threads.one(), "churn", churn(seed));
  threads.scope().spawn_on(threads.two(), "churn", churn(seed + 1));
  fill(threads, threads.one(), event, kLasting, random);
  fill(threads, threads.two(), event, kLasting, random);
  for (int round = 0; round < 5; ++round) {
    std::map<std::uint64_t, int> seen;
    int lasting_seen = 0;
    for (const TaskSummary& task : threads.run(list_tasks(threads.runtime(), patient()))) {
      EXPECT_EQ(++seen[task.id], 1) << "task " << task.id << " " << task.name;
      if (task.name == "lasting") ++lasting_seen;
    }
    EXPECT_EQ(lasting_seen, 2 * kLasting);
  }
}

// Several walks share one mark in each record.
Task<void> list_lasting(task::Runtime* runtime, int* seen, bool* doubled) {
  std::set<std::uint64_t> ids;
  for (const TaskSummary& task : co_await list_tasks(*runtime, patient())) {
    if (!ids.insert(task.id).second) *doubled = true;
    if (task.name == "lasting") ++*seen;
  }
}

Task<void> list_at_once(task::Runtime* runtime, int walks, std::vector<int>* seen, bool* doubled) {
  task::Scope scope("test.walks");
  for (int i = 0; i < walks; ++i) {
    scope.spawn("walk", list_lasting(runtime, &(*seen)[static_cast<std::size_t>(i)], doubled));
  }
  co_await scope.join();
}

TEST_P(SeededWalk, walks_at_the_same_time_do_not_disturb_each_other) {
  const std::uint32_t seed = GetParam();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr int kLasting = 1000;
  constexpr int kWalks = 8;
  task::Event event;
  Threads threads;
  threads.scope().spawn_on(threads.one(), "churn", churn(seed));
  fill(threads, threads.one(), event, kLasting, random);
  std::vector<int> seen(kWalks);
  bool doubled = false;
  threads.run(list_at_once(&threads.runtime(), kWalks, &seen, &doubled));
  EXPECT_THAT(seen, testing::Each(kLasting));
  EXPECT_FALSE(doubled);
}

INSTANTIATE_TEST_SUITE_P(seeds, SeededWalk, testing::Values(1u, 2u, 3u, 20'261'123u, std::random_device()()));

// The first of its pieces is not taken before `go_on` is set.
Task<void> take_slowly(task::Event* stuck, task::Event* go_on, std::string* text, std::string_view piece) {
  if (!text->empty()) {
    stuck->set();
    co_await go_on->wait();
  }
  text->append(piece);
}

Task<WalkFacts> dump_slowly(task::Runtime* runtime, task::Event* stuck, task::Event* go_on, std::string* text,
                            DumpOptions options = patient()) {
  TextSink sink = [=](std::string_view piece) { return take_slowly(stuck, go_on, text, piece); };
  co_return co_await stream_text(*runtime, std::move(options), std::move(sink));
}

Task<void> wait_for(task::Event* event) { co_await event->wait(); }
Task<void> nothing() { co_return; }

TEST(walk, a_slow_reader_gets_everything_and_keeps_no_worker) {
  constexpr std::size_t kTasks = 30'000;  // far more text than the channel holds
  task::Event event;
  task::Event stuck;
  task::Event go_on;
  Threads threads;
  for (std::size_t i = 0; i < kTasks; ++i) threads.scope().spawn_on(threads.one(), "lasting", lasting(event));
  std::string text;
  std::promise<WalkFacts> promise;
  task::Scope dumping("test.dumping");
  auto dump = [](Task<WalkFacts> work, std::promise<WalkFacts>* out) -> Task<void> {
    out->set_value(co_await std::move(work));
  };
  dumping.spawn_on(threads.debug(), "dump", dump(dump_slowly(&threads.runtime(), &stuck, &go_on, &text), &promise));
  threads.run(wait_for(&stuck));
  // The dump hangs. Whole dumps of others, and tasks of the worker, pass it by.
  EXPECT_EQ(threads.run(list_tasks(threads.runtime(), patient())).size(), kTasks + 2);
  task::Scope beside("test.beside");
  beside.spawn_on(threads.one(), "beside", nothing());
  threads.settle(beside);
  go_on.set();
  const WalkFacts facts = promise.get_future().get();
  threads.settle(dumping);
  EXPECT_TRUE(facts.complete());
  std::set<std::uint64_t> ids;
  for (const ParsedTask& task : DumpParser::parse(text)) EXPECT_TRUE(ids.insert(task.id).second);
  EXPECT_GE(ids.size(), kTasks + 1);
  EXPECT_EQ(facts.tasks, ids.size());
}

TEST(walk, a_cancelled_dump_ends_at_once_and_leaves_the_worker_walkable) {
  task::Event event;
  Threads threads;
  for (int i = 0; i < 30'000; ++i) threads.scope().spawn_on(threads.one(), "lasting", lasting(event));
  // More of them than walks may be under way: each must have given its place back.
  for (std::size_t i = 0; i < Walk::kWalksMax + 4; ++i) {
    task::Event stuck;
    task::Event never;
    std::string text;
    task::Scope dumping("test.dumping");
    auto dump = [](Task<WalkFacts> work) -> Task<void> { co_await std::move(work); };
    dumping.spawn_on(threads.debug(), "dump", dump(dump_slowly(&threads.runtime(), &stuck, &never, &text)));
    threads.run(wait_for(&stuck));
    dumping.cancel(task::CancelReason::kClientGone);
    threads.settle(dumping);
  }
  EXPECT_EQ(threads.run(list_tasks(threads.runtime(), patient())).size(), 30'001u);
}

// Keeps its thread until it is let go.
struct Block {
  std::mutex mutex;
  std::condition_variable changed;
  bool entered = false;
  bool open = false;

  void hold() {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
  }
  void wait_entered() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return entered; });
  }
  void release() {
    std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
};

Task<void> block_worker(Block* block) {
  block->hold();
  co_return;
}

TEST(walk, a_blocked_worker_is_reported_with_its_running_task_and_the_others_are_dumped) {
  task::Event event;
  Block block;
  Threads threads;
  threads.scope().spawn_on(threads.one(), "lasting", lasting(event));
  threads.scope().spawn_on(threads.two(), "lasting", lasting(event));
  threads.scope().spawn_on(threads.two(), "block", block_worker(&block));
  block.wait_entered();
  const std::uint64_t blocked_id = threads.two().running_id();
  ASSERT_NE(blocked_id, 0u);
  std::string text;
  task::Event go_on;
  task::Event stuck;
  go_on.set();
  // Ends although the worker stays blocked until after it.
  const WalkFacts facts = threads.run(dump_slowly(&threads.runtime(), &stuck, &go_on, &text, DumpOptions{}));
  ASSERT_EQ(facts.silent.size(), 1u);
  EXPECT_EQ(facts.silent[0].name, "two");
  EXPECT_EQ(facts.silent[0].running_id, blocked_id);
  const std::vector<ParsedTask> tasks = DumpParser::parse(text);
  ASSERT_EQ(tasks.size(), 4u);  // the dump, the lasting one of the other worker, the blocked one, the one beside it
  EXPECT_EQ(tasks[1].state, "sync.Cond.Wait");
  EXPECT_EQ(tasks[2].id, blocked_id);
  EXPECT_EQ(tasks[2].state, "running");
  EXPECT_TRUE(tasks[2].has_frame("quoll::debug::block_worker"));
  EXPECT_EQ(tasks[3].state, "sync.Cond.Wait");
  EXPECT_EQ(facts.tasks, 4u);
  EXPECT_TRUE(facts.complete());
  block.release();
  task::Scope settled("test.settled");
  settled.spawn_on(threads.two(), "settled", nothing());
  threads.settle(settled);
  EXPECT_EQ(DumpParser::parse(threads.run(dump_text(threads.runtime(), patient()))).size(), 3u);
}

TEST(walk, a_worker_blocked_outside_of_any_task_is_reported_too) {
  Block block;
  Threads threads;
  threads.two().post([&] { block.hold(); });
  block.wait_entered();
  std::string text;
  task::Event go_on;
  task::Event stuck;
  const WalkFacts facts = threads.run(dump_slowly(&threads.runtime(), &stuck, &go_on, &text, DumpOptions{}));
  ASSERT_EQ(facts.silent.size(), 1u);
  EXPECT_EQ(facts.silent[0].running_id, 0u);
  EXPECT_EQ(DumpParser::parse(text).size(), 1u);
  block.release();
}

TEST(walk, cancelled_at_every_await_nothing_is_left) {
  task::TestRuntime test;
  task::Scope scope("test.scope");
  task::Event event;
  for (int i = 0; i < 100; ++i) test.spawn(scope, "lasting", lasting(event));
  test.poll();
  auto dump = [](task::Runtime* runtime) -> Task<void> {
    const std::string text = co_await dump_text(*runtime);
    EXPECT_EQ(DumpParser::parse(text).size(), 101u);
  };
  const int suspensions = task::cancel_at_every_await(
      test, [&] { return dump(&test.runtime()); }, [&] { EXPECT_EQ(test.worker().task_count(), 100u); });
  EXPECT_GT(suspensions, 0);
  event.set();
  test.poll();
}

Task<void> begin_walks(task::Runtime* runtime, std::vector<std::unique_ptr<Walk>>* walks) {
  const auto filter = std::make_shared<const Filter>(DumpOptions{});
  for (std::size_t i = 0; i <= Walk::kWalksMax; ++i) {
    walks->push_back(std::make_unique<Walk>(*runtime, filter, [] { return std::unique_ptr<Visitor>(); }));
  }
  co_return;
}

TEST(walk, more_walks_than_the_limit_are_refused) {
  task::TestRuntime test;
  std::vector<std::unique_ptr<Walk>> walks;
  auto body = [](task::Runtime* runtime, std::vector<std::unique_ptr<Walk>>* out) -> Task<void> {
    try {
      co_await begin_walks(runtime, out);
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kUnavailable);
    }
    EXPECT_EQ(out->size(), Walk::kWalksMax);
    out->clear();
  };
  test.run(body(&test.runtime(), &walks));
  EXPECT_EQ(test.run(list_tasks(test.runtime())).size(), 1u);
}

}  // namespace
}  // namespace quoll::debug
