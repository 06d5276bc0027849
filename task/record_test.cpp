#include "task/record.hpp"

#include <gtest/gtest.h>

#include <set>

#include "task/event.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

// The lines of the awaits below, as the coroutines were entered.
struct Lines {
  std::uint_least32_t outer = 0, middle = 0, inner = 0, innermost = 0;
};

template <typename T>
Task<void> innermost_wait(Event& event, Lines* lines, T) {
  lines->innermost = std::source_location::current().line() + 1;
  co_await event.wait();
}

Task<int> inner_wait(Event& event, Lines* lines) {
  lines->inner = std::source_location::current().line() + 1;
  co_await innermost_wait(event, lines, 1L);
  co_return 1;
}

struct Handler {
  Task<int> middle_wait(Event& event, Lines* lines) {
    lines->middle = std::source_location::current().line() + 1;
    co_return co_await inner_wait(event, lines);
  }
};

Task<void> outer_wait(Event& event, Lines* lines) {
  Handler handler;
  co_await yield();
  lines->outer = std::source_location::current().line() + 1;
  const int value = co_await handler.middle_wait(event, lines);
  EXPECT_EQ(value, 1);
}

std::vector<const Frame*> frames_of(const TaskRecord& record) {
  std::vector<const Frame*> frames;
  for (const Frame* frame = record.leaf; frame != nullptr; frame = frame->caller) frames.push_back(frame);
  return frames;
}

TEST(record, shows_each_frame_with_its_function_and_the_line_of_its_await) {
  TestRuntime test;
  Scope scope("test");
  Event event;
  Lines lines;
  test.spawn(scope, "outer", outer_wait(event, &lines));
  test.poll();
  const TaskRecord& record = *test.worker().tasks()[0];
  const auto frames = frames_of(record);
  ASSERT_EQ(frames.size(), 4u);
  const std::array names = {"innermost_wait", "inner_wait", "middle_wait", "outer_wait"};
  const std::array expected_lines = {lines.innermost, lines.inner, lines.middle, lines.outer};
  for (std::size_t i = 0; i < frames.size(); ++i) {
    EXPECT_NE(std::string_view(frames[i]->at.function_name()).find(names[i]), std::string_view::npos)
        << frames[i]->at.function_name();
    EXPECT_EQ(frames[i]->at.line(), expected_lines[i]) << names[i];
    EXPECT_NE(std::string_view(frames[i]->at.file_name()).find("task/record_test.cpp"), std::string_view::npos);
    EXPECT_EQ(frames[i]->task, &record);
  }
  event.set();
  test.poll();
  EXPECT_EQ(scope.size(), 0u);
}

Task<void> note_frames(std::vector<std::string>* names) {
  for (const Frame* frame : frames_of(this_task::record())) names->push_back(frame->at.function_name());
  co_return;
}

Task<void> call_twice(std::vector<std::string>* first, std::vector<std::string>* second) {
  co_await note_frames(first);
  co_await note_frames(second);
}

TEST(record, a_frame_that_has_not_awaited_yet_is_shown_at_its_definition) {
  TestRuntime test;
  Scope scope("test");
  std::vector<std::string> first, second;
  test.spawn(scope, "call", call_twice(&first, &second));
  test.poll();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_NE(first[0].find("note_frames"), std::string::npos) << first[0];
  EXPECT_NE(first[1].find("call_twice"), std::string::npos) << first[1];
  EXPECT_EQ(second, first) << "a frame that has ended is not shown any more";
}

Task<void> wait_for(Event& event) { co_await event.wait(); }

TEST(record, state_follows_the_task_from_idle_over_waiting_to_runnable) {
  TestRuntime test;
  Scope scope("test");
  Event event;
  // In one turn: the task is spawned and looked at, it waits, it is woken and looked at.
  auto spawner = [](Scope& own, Event& open) -> Task<void> {
    own.spawn("wait", wait_for(open));
    const TaskRecord& record = *this_task::worker().tasks()[1];
    EXPECT_EQ(record.state, TaskState::kIdle);
    co_await yield();
    EXPECT_EQ(record.state, TaskState::kCondWait);
    EXPECT_EQ(record.wait->target().object, &open);
    EXPECT_GT(record.since_ns, 0);
    open.set();
    EXPECT_EQ(record.state, TaskState::kRunnable);
    EXPECT_EQ(this_task::record().state, TaskState::kRunning);
  };
  test.spawn(scope, "spawner", spawner(scope, event));
  test.poll();
  EXPECT_EQ(scope.size(), 0u);
}

TEST(record, states_have_gos_words) {
  EXPECT_EQ(to_string(TaskState::kIoWait), "IO wait");
  EXPECT_EQ(to_string(TaskState::kChanReceive), "chan receive");
  EXPECT_EQ(to_string(TaskState::kChanSend), "chan send");
  EXPECT_EQ(to_string(TaskState::kSelectNoCases), "select (no cases)");
  EXPECT_EQ(to_string(TaskState::kSemAcquire), "semacquire");
  EXPECT_EQ(to_string(TaskState::kSyscall), "syscall");
}

TEST(record, the_table_holds_each_live_task_once_as_others_come_and_go) {
  TestRuntime test;
  std::deque<Event> events(20);
  Scope scope("test");
  for (Event& event : events) test.spawn(scope, "wait", wait_for(event));
  test.poll();
  std::size_t left = events.size();
  for (const std::size_t index : {0, 19, 7, 1, 18}) {
    events[index].set();
    test.poll();
    --left;
    const auto tasks = test.worker().tasks();
    ASSERT_EQ(tasks.size(), left);
    EXPECT_EQ(test.worker().task_count(), left);
    for (std::size_t slot = 0; slot < tasks.size(); ++slot) EXPECT_EQ(tasks[slot]->slot, slot);
    EXPECT_EQ(std::set<const TaskRecord*>(tasks.begin(), tasks.end()).size(), left);
  }
  scope.cancel(CancelReason::kUser);
  test.poll();
}

}  // namespace
}  // namespace quoll::task
