#include "cli/task_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace quoll::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;

// Task 1 is everybody's ancestor, and 8 has ended.
json ancestors(std::uint64_t parent) {
  if (parent == 0) return json::array();
  json list = json::array({{{"id", parent}, {"name", "up"}, {"ended", parent == 8}}});
  if (parent != 1) list.push_back({{"id", 1}, {"name", "top"}, {"ended", false}});
  return list;
}

json task(std::uint64_t id, std::uint64_t parent, const char* state, double waited) {
  return {{"id", id},
          {"ancestors", ancestors(parent)},
          {"name", "work"},
          {"state", state},
          {"wait_ms", waited * 1000},
          {"stack", {{{"function", "quoll::task::wait"}}, {{"function", "f"}}}}};
}

std::vector<TaskRow> rows(std::vector<json> tasks) { return task_rows({{"tasks", std::move(tasks)}}); }

std::vector<std::uint64_t> ids(const std::vector<TaskRow>& rows) {
  std::vector<std::uint64_t> ids;
  for (const TaskRow& row : rows) ids.push_back(row.id);
  return ids;
}

TEST(task_list, shows_the_innermost_function_outside_of_the_runtime) {
  EXPECT_EQ(rows({task(1, 0, "sleep", 1)}).front().function, "f");
}

TEST(task_list, counts_states_by_frequency) {
  EXPECT_EQ(count_by_state(rows({task(1, 0, "sleep", 1), task(2, 0, "IO wait", 1), task(3, 0, "IO wait", 1)})),
            "3 tasks: 2 IO wait, 1 sleep");
  EXPECT_EQ(count_by_state({}), "0 tasks");
}

TEST(task_list, what_runs_comes_first_then_who_works_for_somebody_the_longest) {
  json serving = task(2, 0, "sleep", 5);
  serving["request"] = {{"method", "GET"}, {"route", "/x"}, {"client", "c"}};
  json serving_longer = serving;
  serving_longer["id"] = 3;
  serving_longer["wait_ms"] = 9000;
  auto sorted = rows({task(1, 0, "sleep", 100), serving, serving_longer, task(4, 0, "running", 0)});
  sort_by_interest(sorted);
  EXPECT_THAT(ids(sorted), ElementsAre(4, 3, 2, 1));
  EXPECT_EQ(sorted[1].request, "GET /x");
}

TEST(task_list, the_tree_keeps_children_of_parents_that_have_ended) {
  EXPECT_EQ(tree_text(rows({task(5, 2, "sleep", 1), task(2, 1, "sleep", 61), task(1, 0, "running", 0),
                            task(3, 1, "sleep", 2), task(9, 8, "sleep", 3)})),
            "1 work [running] f\n"
            "├─ 2 work [sleep 1m1s] f\n"
            "│  └─ 5 work [sleep 1.0s] f\n"
            "├─ 3 work [sleep 2.0s] f\n"
            "└─ (8 up, ended)\n"
            "   └─ 9 work [sleep 3.0s] f\n");
}

TEST(task_list, the_tree_names_ancestors_that_a_filter_has_left_out) {
  EXPECT_EQ(tree_text(rows({task(5, 2, "sleep", 1)})),
            "(1 top, not listed)\n"
            "└─ (2 up, not listed)\n"
            "   └─ 5 work [sleep 1.0s] f\n");
}

}  // namespace
}  // namespace quoll::cli
