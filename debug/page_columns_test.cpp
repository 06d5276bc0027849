#include "debug/page_columns.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace quoll::debug {
namespace {

using nlohmann::json;

TaskSummary task(std::uint64_t id, task::TaskState state = task::TaskState::kSleep) {
  TaskSummary summary;
  summary.id = id;
  summary.name = "work";
  summary.state = state;
  summary.frames = {&place_of(std::source_location::current())};
  return summary;
}

json answer_of(const PageColumns& columns, std::size_t total) {
  WalkFacts facts;
  facts.tasks = total;
  return json::parse(columns.json(facts));
}

TEST(page_columns, names_stacks_and_requests_are_there_once) {
  PageColumns columns(10);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    TaskSummary summary = task(id);
    summary.request_id = 7;
    summary.path = "/a\"b\xff";
    columns.add(summary);
  }
  const json answer = answer_of(columns, 3);
  EXPECT_EQ(answer["names"], json({"work"}));
  EXPECT_EQ(answer["stacks"].size(), 1u);
  EXPECT_EQ(answer["requests"].size(), 1u);
  EXPECT_EQ(answer["requests"][0]["path"], "/a\"b\ufffd");
  EXPECT_EQ(answer["tasks"]["id"], json({1, 2, 3}));
  EXPECT_EQ(answer["tasks"]["request"], json({0, 0, 0}));
  for (const auto& [name, column] : answer["tasks"].items()) EXPECT_EQ(column.size(), 3u) << name;
}

TEST(page_columns, tasks_beyond_the_limit_are_counted) {
  PageColumns columns(1);
  columns.add(task(1));
  columns.add(task(2, task::TaskState::kIoWait));
  const json answer = answer_of(columns, 2);
  EXPECT_EQ(answer["tasks"]["id"], json({1}));
  EXPECT_EQ(answer["counts"], json({{"sleep", 1}, {"IO wait", 1}}));
  EXPECT_EQ(answer["total"], 2);
}

TEST(page_columns, ancestors_that_have_ended_are_named) {
  PageColumns columns(10);
  TaskSummary summary = task(9);
  summary.ancestors = {{8, "gone", true}, {1, "alive", false}};
  columns.add(summary);
  const json answer = answer_of(columns, 1);
  EXPECT_EQ(answer["tasks"]["parent"], json({8}));
  EXPECT_EQ(answer["ended"], json::array({json::array({8, 1, "gone"})}));
}

}  // namespace
}  // namespace quoll::debug
