// The debug=2 text of tasks in every state, read back by a strict parser.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "debug/dump.hpp"
#include "task/channel.hpp"
#include "task/error.hpp"
#include "task/event.hpp"
#include "task/fd.hpp"
#include "task/mutex.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"
#include "tests/debug_readers/dump_parser.hpp"

namespace quoll::debug {
namespace {

using debug_readers::DumpParser;
using debug_readers::ParsedTask;
using task::Task;
using task::TaskState;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<ParsedTask> dump(task::TestRuntime& test, DumpOptions options = {}) {
  return DumpParser::parse(test.run(dump_text(test.runtime(), std::move(options))));
}

const ParsedTask& task_in(const std::vector<ParsedTask>& tasks, std::string_view function) {
  for (const ParsedTask& task : tasks) {
    if (!task.frames.empty() && task.has_frame(function)) return task;
  }
  throw std::runtime_error("no task in " + std::string(function));
}

// Waits in any state until it is cancelled.
class Parked final : public task::Wait {
 public:
  explicit Parked(TaskState state) : Wait(state) {}
  bool await_ready() const noexcept { return token_cancelled(); }
  void await_suspend(std::coroutine_handle<> self) { suspend(self); }
  void await_resume() { throw_if_cancelled(); }
  void cancel() override { wake(); }
};

Task<void> parked(TaskState state) { co_await Parked(state); }
Task<void> level_three(task::Event& event) { co_await event.wait(); }
Task<void> level_two(task::Event& event) { co_await level_three(event); }
Task<void> level_one(task::Event& event) { co_await level_two(event); }

// A scope whose tasks are cancelled and ended when a test ends.
class ScopeOf {
 public:
  explicit ScopeOf(task::TestRuntime& test) : test_(test), scope_("test.scope") {}
  ~ScopeOf() {
    scope_.cancel(task::CancelReason::kUser);
    while (scope_.size() > 0) test_.worker().run_one_for(std::chrono::seconds(30));
  }
  task::Scope& operator*() { return scope_; }
  task::Scope* operator->() { return &scope_; }

 private:
  task::TestRuntime& test_;
  task::Scope scope_;
};

TEST(text, frames_come_innermost_first_with_their_places_and_the_creator_last) {
  task::TestRuntime test;
  task::Event event;
  ScopeOf scope(test);
  const unsigned line = __LINE__ + 1;
  test.spawn(*scope, "levels", level_one(event));
  test.poll();
  const std::vector<ParsedTask> tasks = dump(test);
  const ParsedTask& task = task_in(tasks, "quoll::debug::level_one");
  ASSERT_EQ(task.frames.size(), 3u);
  EXPECT_EQ(task.frames[0].function, "quoll::debug::level_three");
  EXPECT_EQ(task.frames[1].function, "quoll::debug::level_two");
  EXPECT_EQ(task.frames[2].function, "quoll::debug::level_one");
  for (const auto& frame : task.frames) EXPECT_EQ(frame.file, "debug/text_test.cpp");
  EXPECT_EQ(task.frames[1].line, task.frames[0].line + 1);
  EXPECT_EQ(task.state, "sync.Cond.Wait");
  EXPECT_THAT(task.extras, ElementsAre());
  ASSERT_TRUE(task.created);
  EXPECT_EQ(task.created->line, line);
  EXPECT_EQ(task.creator_id, 0u);
}

TEST(text, the_dumping_task_comes_first_as_running) {
  task::TestRuntime test;
  ScopeOf scope(test);
  test.spawn(*scope, "parked", parked(TaskState::kSelect));
  test.poll();
  const std::vector<ParsedTask> tasks = dump(test);
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].state, "running");
  EXPECT_TRUE(tasks[0].has_frame("quoll::debug::dump_text"));
  EXPECT_FALSE(tasks[1].has_frame("quoll::debug::dump_text"));
}

TEST(text, every_state_has_its_word) {
  const std::map<TaskState, std::string> words = {{TaskState::kIoWait, "IO wait"},
                                                  {TaskState::kSleep, "sleep"},
                                                  {TaskState::kChanReceive, "chan receive"},
                                                  {TaskState::kChanSend, "chan send"},
                                                  {TaskState::kSelect, "select"},
                                                  {TaskState::kSelectNoCases, "select (no cases)"},
                                                  {TaskState::kMutexLock, "sync.Mutex.Lock"},
                                                  {TaskState::kSemAcquire, "semacquire"},
                                                  {TaskState::kCondWait, "sync.Cond.Wait"},
                                                  {TaskState::kWaitGroupWait, "sync.WaitGroup.Wait"},
                                                  {TaskState::kSyscall, "syscall"}};
  task::TestRuntime test;
  ScopeOf scope(test);
  for (const auto& [state, word] : words) test.spawn(*scope, "parked", parked(state));
  test.poll();
  for (const auto& [state, word] : words) {
    DumpOptions options;
    options.state = state;
    const std::vector<ParsedTask> tasks = dump(test, options);
    ASSERT_EQ(tasks.size(), 1u) << word;
    EXPECT_EQ(tasks[0].state, word);
  }
}

// What is queued is seen only by a walk that comes before its turn. A walk begins one turn of the event loop after it
// was asked for, and what is posted together with it comes between the two.
TEST(text, queued_tasks_are_idle_before_their_first_run_and_runnable_later) {
  task::TestRuntime test;
  task::Event event;
  ScopeOf scope(test);
  test.spawn(*scope, "waiter", level_one(event));
  test.poll();
  std::string text;
  auto sink = [&](std::string_view piece) -> Task<void> {
    if (text.empty()) {
      test.worker().post([&] {
        event.set();
        scope->spawn("later", parked(TaskState::kSelect));
      });
    }
    text.append(piece);
    return [](int) -> Task<void> { co_return; }(0);
  };
  test.run(stream_text(test.runtime(), {}, sink));
  const std::vector<ParsedTask> tasks = DumpParser::parse(text);
  EXPECT_EQ(task_in(tasks, "quoll::debug::level_one").state, "runnable");
  EXPECT_EQ(task_in(tasks, "quoll::debug::parked").state, "idle");
  std::multiset<std::string> states;
  for (const ParsedTask& task : tasks) states.insert(task.state);
  EXPECT_EQ(states, (std::multiset<std::string>{"running", "runnable", "idle"}));
}

Task<void> spawn_child(task::Scope& scope, task::Event& event) {
  scope.spawn("child", level_three(event));
  co_await event.wait();
}

TEST(text, a_task_names_its_creator_and_that_ones_id) {
  task::TestRuntime test;
  task::Event event;
  ScopeOf scope(test);
  test.spawn(*scope, "parent", spawn_child(*scope, event));
  test.poll();
  const std::vector<ParsedTask> tasks = dump(test);
  const ParsedTask& child = task_in(tasks, "quoll::debug::level_three");
  const ParsedTask& parent = task_in(tasks, "quoll::debug::spawn_child");
  EXPECT_EQ(child.creator_id, parent.id);
  EXPECT_EQ(child.created->function, "quoll::debug::spawn_child");
}

Task<void> hold(task::Mutex& mutex, task::Event& event) {
  auto guard = co_await mutex.lock();
  co_await event.wait();
}
Task<void> want(task::Mutex& mutex) { auto guard = co_await mutex.lock(); }

TEST(text, names_the_holder_of_what_a_task_waits_for) {
  task::TestRuntime test;
  task::Mutex mutex;
  task::Event event;
  ScopeOf scope(test);
  test.spawn(*scope, "holder", hold(mutex, event));
  test.spawn(*scope, "waiter", want(mutex));
  test.poll();
  const std::vector<ParsedTask> tasks = dump(test);
  const ParsedTask& waiter = task_in(tasks, "quoll::debug::want");
  EXPECT_EQ(waiter.state, "sync.Mutex.Lock");
  EXPECT_THAT(waiter.extras, ElementsAre("held by " + std::to_string(task_in(tasks, "quoll::debug::hold").id)));
}

void age_by(task::TestRuntime& test, std::chrono::nanoseconds time) {
  for (task::TaskRecord* record : test.worker().tasks()) record->since_ns -= time.count();
}

TEST(text, counts_whole_minutes_of_waiting_from_one_on) {
  task::TestRuntime test;
  ScopeOf scope(test);
  test.spawn(*scope, "parked", parked(TaskState::kSelect));
  test.poll();
  age_by(test, std::chrono::seconds(55));
  EXPECT_THAT(task_in(dump(test), "quoll::debug::parked").extras, ElementsAre());
  age_by(test, std::chrono::seconds(70));
  EXPECT_THAT(task_in(dump(test), "quoll::debug::parked").extras, ElementsAre("2 minutes"));
}

// Does not end when it is cancelled, until the event lets it.
Task<void> stubborn(task::Event& event) {
  task::CancelScope shield(task::CancelScope::Kind::kShield);
  co_await event.wait();
}
Task<void> slow_to_end(task::Event& event) {
  bool cancelled = false;
  try {
    co_await Parked(TaskState::kChanReceive);
  } catch (const task::Cancelled&) {
    cancelled = true;
  }
  if (cancelled) co_await stubborn(event);
}
// Stays as it is although its token is cancelled.
class Deaf final : public task::Wait {
 public:
  Deaf() : Wait(TaskState::kSyscall) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) { suspend(self); }
  void await_resume() {}
  void cancel() override {}
  void release() { wake(); }
};
Task<void> deaf(Deaf& wait) { co_await wait; }

TEST(text, says_when_and_why_a_task_was_cancelled_that_still_lives) {
  task::TestRuntime test;
  task::Scope scope("test.scope");
  Deaf wait;
  test.spawn(scope, "deaf", deaf(wait));
  test.poll();
  scope.cancel(task::CancelReason::kClientGone);
  test.poll();
  const ParsedTask task = task_in(dump(test), "quoll::debug::deaf");
  EXPECT_EQ(task.state, "syscall");
  EXPECT_THAT(task.extras, ElementsAre("cancelled 0s ago (client gone)"));
  wait.release();
  test.poll();
}

TEST(text, a_shielded_part_is_not_called_cancelled) {
  task::TestRuntime test;
  task::Scope scope("test.scope");
  task::Event event;
  test.spawn(scope, "slow to end", slow_to_end(event));
  test.poll();
  scope.cancel(task::CancelReason::kClientGone);
  test.poll();
  EXPECT_THAT(task_in(dump(test), "quoll::debug::stubborn").extras, ElementsAre());
  event.set();
  test.poll();
}

Task<void> recurse(int depth, task::Event& event) {
  if (depth == 0) {
    co_await event.wait();
  } else {
    co_await recurse(depth - 1, event);
  }
}
Task<void> outermost(task::Event& event) { co_await recurse(5000, event); }

TEST(text, a_deep_stack_shows_its_innermost_frames_and_its_outermost) {
  task::TestRuntime test;
  task::Event event;
  ScopeOf scope(test);
  test.spawn(*scope, "deep", outermost(event));
  test.poll();
  const ParsedTask task = task_in(dump(test), "quoll::debug::outermost");
  ASSERT_EQ(task.frames.size(), kFramesMax + 2);
  EXPECT_EQ(task.frames.front().function, "quoll::debug::recurse");
  EXPECT_EQ(task.frames[kFramesMax].function, "quoll::debug::frames_elided");
  EXPECT_EQ(task.frames.back().function, "quoll::debug::outermost");
  event.set();  // a chain that unwinds by exceptions would take its time
  test.poll();
}

TEST(text, go_file_names_are_for_readers_that_want_them) {
  task::TestRuntime test;
  ScopeOf scope(test);
  test.spawn(*scope, "parked", parked(TaskState::kSelect));
  test.poll();
  DumpOptions options;
  options.files = FileNames::kGo;
  for (const ParsedTask& task : dump(test, options)) {
    for (const auto& frame : task.frames) EXPECT_THAT(frame.file, testing::EndsWith("#.go"));
    EXPECT_THAT(task.created->file, testing::EndsWith("#.go"));
  }
}

std::size_t matching(task::TestRuntime& test, std::string pattern) {
  DumpOptions options;
  options.match = std::move(pattern);
  return dump(test, std::move(options)).size();
}

Task<void> labelled(const task::Labels* labels, task::Event& event) {
  task::LabelScope in_force(labels);
  co_await event.wait();
}

TEST(text, match_looks_at_functions_task_names_and_labels) {
  task::TestRuntime test;
  task::Event event;
  task::Labels labels;
  ScopeOf scope(test);
  labels.route = "/containers/{id}/logs";
  labels.path = "/containers/bg/logs";
  labels.set_container("bg", "4f2a");
  test.spawn(*scope, "mgr.levels", level_one(event));
  test.spawn(*scope, "mgr.labelled", labelled(&labels, event));
  test.spawn(*scope, "mgr.parked", parked(TaskState::kSelect));
  test.poll();
  EXPECT_EQ(matching(test, "level_two"), 1u);
  EXPECT_EQ(matching(test, "level_(two|four)$"), 1u);
  EXPECT_EQ(matching(test, "^mgr\\."), 3u);
  EXPECT_EQ(matching(test, "mgr.parked"), 1u);
  EXPECT_EQ(matching(test, "containers/bg/"), 1u);
  EXPECT_EQ(matching(test, "^4f2a$"), 1u);
  EXPECT_EQ(matching(test, "dump_text"), 1u);  // the dumping task itself
  EXPECT_EQ(matching(test, "nobody_has_this_name"), 0u);
  EXPECT_EQ(matching(test, "TestBody"), 0u);  // the creator is not asked
  EXPECT_THROW(matching(test, "("), Error);
}

TEST(text, min_wait_hides_what_has_not_waited_that_long) {
  task::TestRuntime test;
  ScopeOf scope(test);
  test.spawn(*scope, "old", parked(TaskState::kSelect));
  test.poll();
  age_by(test, std::chrono::minutes(3));
  test.spawn(*scope, "young", parked(TaskState::kSyscall));
  test.poll();
  DumpOptions options;
  options.min_wait = std::chrono::minutes(2);
  const std::vector<ParsedTask> tasks = dump(test, options);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].state, "select");
}

TEST(text, summaries_say_the_same_as_values) {
  task::TestRuntime test;
  task::Event event;
  task::Labels labels;
  ScopeOf scope(test);
  labels.request_id = 7;
  labels.method = "GET";
  labels.path = "/x\"y\xff";
  test.spawn(*scope, "mgr.labelled", labelled(&labels, event));
  test.poll();
  const std::vector<TaskSummary> tasks = test.run(list_tasks(test.runtime()));
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].state, TaskState::kRunning);
  const TaskSummary& task = tasks[1];
  EXPECT_EQ(task.name, "mgr.labelled");
  EXPECT_EQ(task.scope, "test.scope");
  EXPECT_EQ(task.worker, "test");
  EXPECT_EQ(task.request_id, 7u);
  ASSERT_EQ(task.frames.size(), 1u);
  EXPECT_EQ(task.frames[0]->function, "quoll::debug::labelled");
  std::string json;
  append_json(json, task);
  EXPECT_THAT(json, HasSubstr(R"("path":"/x\"y)"));
  EXPECT_THAT(json, HasSubstr(R"("state":"sync.Cond.Wait")"));
}

}  // namespace
}  // namespace quoll::debug
