// A worker that does not answer is shown from outside: its tasks, and the blocked one with its native stack. Method: a
// task that keeps its thread until the test lets it go, beside others that wait.
#include "debug/outside_walk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "debug/dump.hpp"
#include "debug/worker_watch.hpp"
#include "task/event.hpp"
#include "task/testing.hpp"
#include "tests/debug_readers/dump_parser.hpp"
#include "tests/support/sanitizers.hpp"

namespace quoll::debug {
namespace {

// Where the blocked thread is.
constexpr const char* kSleeping = test::kThreadSanitizer ? "nanosleep" : "keep_thread";

using debug_readers::DumpParser;
using debug_readers::ParsedTask;
using task::Task;
using testing::Contains;
using testing::HasSubstr;

[[gnu::noinline]] void keep_thread(std::atomic<bool>& go) {
  while (!go.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}
Task<void> block(std::atomic<bool>* blocked, std::atomic<bool>* go) {
  blocked->store(true);
  keep_thread(*go);
  co_return;
}
Task<void> wait_on(task::Event* event) { co_await event->wait(); }

class OutsideWalkTest : public testing::Test {
 protected:
  OutsideWalkTest() {
    labels_.request_id = 7;
    labels_.method = "GET";
    labels_.path = "/x";
    runtime_.start();
    for (int i = 0; i < kWaiting; ++i) scope_.spawn_on(worker_, "test.waiting", wait_on(&event_));
    scope_.spawn_on(worker_, "test.blocking", block(&blocked_, &go_));
    while (!blocked_) std::this_thread::yield();
  }
  ~OutsideWalkTest() override {
    let_go();
    event_.set();
    while (scope_.size() > 0) std::this_thread::yield();
  }
  void let_go() { go_ = true; }

  static constexpr int kWaiting = 600;  // more than one slice
  task::Labels labels_;
  task::Event event_;
  std::atomic<bool> blocked_{false};
  std::atomic<bool> go_{false};
  task::Runtime runtime_;
  task::Worker& worker_ = runtime_.add_worker("work");
  task::Scope scope_{"test.scope"};
};

TEST_F(OutsideWalkTest, all_tasks_of_a_blocked_worker_are_listed) {
  OutsideWalk walk(worker_, SIZE_MAX);
  std::vector<TaskSummary> tasks;
  while (!walk.complete()) {
    const std::vector<TaskSummary> some = walk.next();
    ASSERT_FALSE(some.empty());
    EXPECT_LE(some.size(), OutsideWalk::kTasksAtOnce);
    tasks.insert(tasks.end(), some.begin(), some.end());
  }
  EXPECT_EQ(tasks.size(), kWaiting + 1u);
  const auto blocked =
      std::find_if(tasks.begin(), tasks.end(), [](const auto& t) { return t.name == "test.blocking"; });
  ASSERT_NE(blocked, tasks.end());
  EXPECT_EQ(blocked->state, task::TaskState::kRunning);
  EXPECT_EQ(blocked->frames.at(0)->function, "quoll::debug::block");
  EXPECT_THAT(blocked->native_frames, Contains(HasSubstr(kSleeping)));
  const TaskSummary& waiting = tasks.front().name == "test.waiting" ? tasks.front() : tasks.back();
  EXPECT_EQ(waiting.state, task::TaskState::kCondWait);
  EXPECT_EQ(waiting.frames.at(0)->function, "quoll::debug::wait_on");
  EXPECT_EQ(waiting.scope, "test.scope");
}

TEST_F(OutsideWalkTest, a_dump_has_them_in_its_text_and_is_complete) {
  task::TestRuntime test;
  std::string text;
  WalkFacts facts;
  auto dump = [](task::Runtime* runtime, std::string* into, WalkFacts* about) -> Task<void> {
    TextSink sink = [into](std::string_view piece) {
      into->append(piece);
      return [](int) -> Task<void> { co_return; }(0);
    };
    *about = co_await stream_text(*runtime, {}, std::move(sink));
  };
  test.run(dump(&runtime_, &text, &facts));
  const std::vector<ParsedTask> tasks = DumpParser::parse(text);
  EXPECT_EQ(tasks.size(), kWaiting + 2u);  // and the dumping one
  EXPECT_EQ(facts.tasks, tasks.size());
  ASSERT_EQ(facts.silent.size(), 1u);
  EXPECT_TRUE(facts.silent[0].listed);
  EXPECT_TRUE(facts.complete());
  EXPECT_THAT(text, HasSubstr("[running"));
  EXPECT_THAT(text, HasSubstr(kSleeping));
  DumpOptions options;
  options.match = "quoll::debug::block$";
  EXPECT_EQ(test.run(list_tasks(runtime_, options)).size(), 1u);
  StackCounts counts = test.run(count_stacks(runtime_, {}));
  EXPECT_EQ(counts.sorted().at(0).second, kWaiting);
}

TEST_F(OutsideWalkTest, the_watch_tells_once_of_a_blocked_worker_and_once_of_its_going_on) {
  task::TestRuntime test;
  std::vector<std::string> log;
  auto watch = [](task::Runtime* runtime, std::vector<std::string>* into) -> Task<void> {
    co_await watch_workers(*runtime, {.period = std::chrono::milliseconds(1),
                                      .bound = std::chrono::milliseconds(1),
                                      .log = [into](std::string_view line) { into->emplace_back(line); }});
  };
  task::Scope scope("test.watch");
  test.spawn(scope, "watch", watch(&runtime_, &log));
  while (log.empty()) test.worker().run_one_for(std::chrono::seconds(1));
  for (int i = 0; i < 10; ++i) test.worker().run_one_for(std::chrono::seconds(1));
  ASSERT_EQ(log.size(), 1u);
  EXPECT_THAT(log[0], HasSubstr("work has been blocked for "));
  EXPECT_THAT(log[0], HasSubstr(kSleeping));
  EXPECT_THAT(log[0], HasSubstr("quoll::debug::block(...)"));
  let_go();
  while (log.size() < 2) test.worker().run_one_for(std::chrono::seconds(1));
  EXPECT_EQ(log[1], "work goes on");
  scope.cancel(task::CancelReason::kUser);
  while (scope.size() > 0) test.worker().run_one_for(std::chrono::seconds(1));
}

}  // namespace
}  // namespace quoll::debug
