#include "debug/dump_history.hpp"

#include <gtest/gtest.h>

namespace quoll::debug {
namespace {

PastDump dump_of(std::vector<std::uint64_t> ids, std::int64_t began_ns = 1'000'000'000) {
  PastDump dump;
  dump.began_ns = began_ns;
  for (const std::uint64_t id : ids) dump.tasks.push_back({id, "task"});
  return dump;
}

TaskSummary task_of(std::uint64_t id, std::int64_t since_ns) {
  TaskSummary task;
  task.id = id;
  task.since_ns = since_ns;
  return task;
}

TEST(dump_history, tells_new_moved_same_and_gone_tasks) {
  DumpHistory history;
  const std::uint64_t id = history.keep(dump_of({3, 1, 2, 4}));
  DumpDifference difference(history.find(id));
  EXPECT_EQ(difference.past_id(), id);
  EXPECT_EQ(difference.change_of(task_of(9, 1)), "new");
  EXPECT_EQ(difference.change_of(task_of(1, 999'999'999)), "same");
  EXPECT_EQ(difference.change_of(task_of(2, 1'000'000'001)), "moved");
  EXPECT_EQ(difference.change_of(task_of(3, 0)), "moved");  // it runs
  const std::vector<PastDump::Entry> gone = difference.gone();
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].task, 4u);
  EXPECT_EQ(gone[0].name, "task");
}

TEST(dump_history, forgets_the_oldest) {
  DumpHistory history;
  const std::uint64_t first = history.keep(dump_of({1}));
  EXPECT_EQ(history.find(first + 1), nullptr);
  for (std::size_t i = 0; i < DumpHistory::kDumpsMax; ++i) history.keep(dump_of({1}));
  EXPECT_EQ(history.find(first), nullptr);
  EXPECT_NE(history.find(first + 1), nullptr);
  const std::uint64_t late = history.keep(dump_of({1}, (DumpHistory::kSecondsMax + 2) * 1'000'000'000));
  EXPECT_EQ(history.find(late - 1), nullptr);
  EXPECT_NE(history.find(late), nullptr);
}

TEST(dump_history, keeps_no_dump_that_is_too_large) {
  DumpHistory history;
  EXPECT_EQ(history.keep(dump_of(std::vector<std::uint64_t>(DumpHistory::kTasksMax + 1, 1))), 0u);
}

}  // namespace
}  // namespace quoll::debug
