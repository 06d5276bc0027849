#include "task/wait_table.hpp"

#include <gtest/gtest.h>

#include <source_location>
#include <thread>

#include "task/mutex.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

using namespace std::chrono_literals;

Frame frame_at(Frame* caller, std::source_location at = std::source_location::current()) {
  Frame frame;
  frame.caller = caller;
  frame.at = at;
  return frame;
}

TEST(wait_table, equal_stacks_are_added_up_and_states_are_told_apart) {
  WaitTable table;
  Frame outer = frame_at(nullptr);
  Frame inner = frame_at(&outer);
  table.add(TaskState::kSleep, &inner, 5);
  table.add(TaskState::kSleep, &inner, 7);
  table.add(TaskState::kChanReceive, &inner, 1);
  table.add(TaskState::kSleep, &outer, 2);
  EXPECT_EQ(table.size(), 3u);
  const std::vector<WaitStack> stacks = table.copy();
  EXPECT_EQ(stacks[1].count, 2);
  EXPECT_EQ(stacks[1].nanoseconds, 12);
  EXPECT_EQ(stacks[1].depth, 2);
  EXPECT_EQ(stacks[1].places[1].line(), outer.at.line());
}

// Stacks that differ by their depth alone.
TEST(wait_table, what_there_is_no_room_for_is_summed_up_without_frames) {
  WaitTable table;
  std::vector<Frame> frames;
  frames.reserve(kWaitFramesMax);
  for (std::size_t i = 0; i < kWaitFramesMax; ++i) frames.push_back(frame_at(i > 0 ? &frames[i - 1] : nullptr));
  int added = 0;
  for (int state = 0; state <= static_cast<int>(TaskState::kSyscall); ++state) {
    for (Frame& frame : frames) {
      for (int other = 0; other < 8; ++other) {
        Frame top = frame;
        const std::source_location places[] = {std::source_location::current(), std::source_location::current(),
                                               std::source_location::current(), std::source_location::current(),
                                               std::source_location::current(), std::source_location::current(),
                                               std::source_location::current(), std::source_location::current()};
        top.at = places[other];
        table.add(static_cast<TaskState>(state), &top, 1);
        ++added;
      }
    }
  }
  ASSERT_GT(added, static_cast<int>(WaitTable::kStacksMax));
  EXPECT_EQ(table.size(), WaitTable::kStacksMax);
  std::int64_t total = 0;
  for (const WaitStack& stack : table.copy()) total += stack.count;
  EXPECT_EQ(total, added);
  EXPECT_EQ(table.copy().front().depth, 0);
  EXPECT_GT(table.copy().front().count, 0);
}

Task<void> sleep_for_a_while() { co_await sleep_for(30ms); }

TEST(wait_table, a_worker_notes_its_tasks_waits_and_others_may_read_meanwhile) {
  TestRuntime test;
  std::jthread reader([&](std::stop_token stop) {
    while (!stop.stop_requested()) test.worker().waits().copy();
  });
  for (int i = 0; i < 3; ++i) test.run(sleep_for_a_while());
  reader.request_stop();
  reader.join();
  for (const WaitStack& stack : test.worker().waits().copy()) {
    if (stack.state != TaskState::kSleep) continue;
    EXPECT_EQ(stack.count, 3);
    EXPECT_GE(stack.nanoseconds, 3 * 20'000'000);
    return;
  }
  FAIL() << "no sleep was noted";
}

}  // namespace
}  // namespace quoll::task
