#include "mgr/container/process_list.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using Cells = std::vector<std::string>;

TEST(process_list, keeps_the_containers_processes_and_whole_commands) {
  const ProcessList list = parse_ps(
      "UID          PID    PPID CMD\n"
      "root           1       0 /sbin/init splash\n"
      "root          42       1 sh -c while true;  do sleep 1; done\n"
      "nobody        43      42 sleep 1\n",
      {42, 43});
  EXPECT_EQ(list.titles, (Cells{"UID", "PID", "PPID", "CMD"}));
  ASSERT_EQ(list.processes.size(), 2u);
  EXPECT_EQ(list.processes[0], (Cells{"root", "42", "1", "sh -c while true; do sleep 1; done"}));
  EXPECT_EQ(list.processes[1], (Cells{"nobody", "43", "42", "sleep 1"}));
}

TEST(process_list, needs_a_column_of_pids) {
  EXPECT_THROW(parse_ps("UID CMD\nroot sh\n", {1}), Error);
  EXPECT_THROW(parse_ps("", {1}), Error);
}

}  // namespace
}  // namespace quoll::mgr
