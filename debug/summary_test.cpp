// A task as values and as JSON: what it waits for, whose child it is, who cancelled it.
#include "debug/summary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "debug/dump.hpp"
#include "debug/json_text.hpp"
#include "task/channel.hpp"
#include "task/event.hpp"
#include "task/mutex.hpp"
#include "task/testing.hpp"

namespace quoll::debug {
namespace {

using nlohmann::json;
using task::Task;

class SummaryTest : public testing::Test {
 protected:
  ~SummaryTest() override {
    event_.set();
    scope_.cancel(task::CancelReason::kUser);
    outliving_.cancel(task::CancelReason::kUser);
    test_.poll();
  }
  void spawn(std::string_view name, Task<void> work) {
    test_.spawn(scope_, name, std::move(work));
    test_.poll();
  }
  json task(std::string_view name) {
    for (const TaskSummary& task : test_.run(list_tasks(test_.runtime()))) {
      if (task.name != name) continue;
      std::string text;
      append_json(text, task);
      return json::parse(text);
    }
    return {};
  }
  std::uint64_t id(std::string_view name) { return task(name).value("id", std::uint64_t{0}); }

  task::TestRuntime test_;
  task::Event event_;
  task::Mutex mutex_;
  task::Scope scope_{"test.scope"};
  task::Scope outliving_{"test.outliving"};
};

Task<void> wait_on(task::Event* event) { co_await event->wait(); }
Task<void> hold(task::Mutex* mutex, task::Event* event) {
  const auto guard = co_await mutex->lock();
  co_await event->wait();
}
Task<void> lock(task::Mutex* mutex) { const auto guard = co_await mutex->lock(); }

TEST_F(SummaryTest, a_mutex_has_its_holder) {
  spawn("holder", hold(&mutex_, &event_));
  spawn("waiter", lock(&mutex_));
  EXPECT_EQ(task("holder")["waits_for"], json({{"kind", "event"}}));
  EXPECT_EQ(task("waiter")["waits_for"], json({{"kind", "mutex"}, {"holder", id("holder")}}));
  EXPECT_GE(task("waiter")["wait_ms"], 0);
}

Task<void> receive(task::Receiver<int> in) {
  while (co_await in.receive()) {
  }
}
Task<void> send_and_wait(task::Sender<int> out, task::Event* event) {
  co_await out.send(1);
  co_await event->wait();
}

TEST_F(SummaryTest, a_channel_has_its_senders) {
  auto [sender, receiver] = task::make_channel<int>(0);
  spawn("receiver", receive(std::move(receiver)));
  spawn("sender", send_and_wait(std::move(sender), &event_));
  EXPECT_EQ(task("receiver")["waits_for"], json({{"kind", "channel"}, {"senders", {id("sender")}}, {"count", 1}}));
}

Task<void> join_child(task::Event* event) {
  task::Scope scope("test.children");
  scope.spawn("child", wait_on(event));
  co_await scope.join();
}

TEST_F(SummaryTest, a_join_has_its_children_and_a_child_its_parent) {
  spawn("parent", join_child(&event_));
  const json child = task("child");
  EXPECT_EQ(task("parent")["waits_for"], json({{"kind", "children"}, {"tasks", {child["id"]}}, {"count", 1}}));
  EXPECT_EQ(child["parent"], id("parent"));
  EXPECT_EQ(child["ancestors"], json({{{"id", id("parent")}, {"name", "parent"}, {"ended", false}}}));
  EXPECT_EQ(child["creator"]["function"], "quoll::debug::join_child");
}

Task<void> spawn_next(task::Scope* scope, task::Event* event, int generations) {
  if (generations == 0) co_await event->wait();
  if (generations > 0) scope->spawn("generation", spawn_next(scope, event, generations - 1));
}

TEST_F(SummaryTest, the_tree_survives_the_parents_as_far_up_as_it_is_kept) {
  spawn("first", spawn_next(&outliving_, &event_, 3));
  const json last = task("generation");
  ASSERT_EQ(last["ancestors"].size(), 3u);
  EXPECT_EQ(last["ancestors"][2]["name"], "first");
  for (const json& ancestor : last["ancestors"]) EXPECT_EQ(ancestor["ended"], true);
  event_.set();
  test_.poll();
  event_.reset();
  spawn("first", spawn_next(&outliving_, &event_, 1000));
  EXPECT_LE(task("generation")["ancestors"].size(), task::Lineage::kDepthMax + 1);
}

Task<void> join_outliving(task::Scope* scope, task::Event* event) {
  scope->spawn("outliving", wait_on(event));
  co_await scope->join();
}
Task<void> cancel(task::Scope* scope, task::Event* event) {
  scope->cancel(task::CancelReason::kDeadline);
  co_await event->wait();
}

TEST_F(SummaryTest, a_cancelled_task_tells_when_why_and_by_whom) {
  task::Scope cancelled("test.cancelled");
  test_.spawn(cancelled, "stubborn", join_outliving(&outliving_, &event_));
  test_.poll();
  EXPECT_FALSE(task("stubborn").contains("cancel"));
  spawn("canceller", cancel(&cancelled, &event_));
  const json told = task("stubborn")["cancel"];
  EXPECT_EQ(told["reason"], "deadline");
  EXPECT_EQ(told["by"], id("canceller"));
  EXPECT_EQ(told["place"]["function"], "quoll::debug::cancel");
  EXPECT_THAT(told["at"].get<std::string>(), testing::MatchesRegex("20[0-9-]+T[0-9]+:[0-9]+:[0-9]+.[0-9][0-9][0-9]Z"));
  EXPECT_LT(told["ago_ms"], 60'000);
  EXPECT_EQ(task("stubborn")["waits_for"]["tasks"], json::array({id("outliving")}));
  event_.set();
  test_.poll();
}

Task<void> labelled(const task::Labels* labels, task::Event* event) {
  const task::LabelScope in_force(labels);
  co_await event->wait();
}

TEST_F(SummaryTest, the_request_is_told_with_its_container_and_can_be_asked_for) {
  task::Labels labels;
  labels.request_id = 7;
  labels.method = "GET";
  labels.route = "/containers/{id}/logs";
  labels.started_ns = task::coarse_now_ns();
  labels.set_container("bg", "3bd3bb5c4dbf");
  labels.set_container("other", "000000000000");  // the first counts
  spawn("mine", labelled(&labels, &event_));
  spawn("other", wait_on(&event_));
  const json request = task("mine")["request"];
  EXPECT_EQ(request["container"], "bg");
  EXPECT_EQ(request["container_id"], "3bd3bb5c4dbf");
  EXPECT_LT(request["age_ms"], 60'000);
  EXPECT_FALSE(request.contains("client_left_ms"));
  DumpOptions options;
  options.request = 7;
  const std::vector<TaskSummary> tasks = test_.run(list_tasks(test_.runtime(), options));
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].name, "mine");
  event_.set();
  test_.poll();
}

TEST(json_text, escapes_what_json_and_utf8_do_not_allow) {
  const auto quoted = [](std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
  };
  EXPECT_EQ(quoted("plain"), R"("plain")");
  EXPECT_EQ(quoted("a\"b\\c\n\x01\x7f"), "\"a\\\"b\\\\c\\u000a\\u0001\x7f\"");
  EXPECT_EQ(quoted("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xbe"), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xbe\"");
  for (const std::string_view bad :
       {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\x80"}) {
    const std::string out = quoted(bad);
    EXPECT_NO_THROW(static_cast<void>(json::parse(out))) << out;
    EXPECT_THAT(out, testing::HasSubstr("\xef\xbf\xbd"));
  }
}

}  // namespace
}  // namespace quoll::debug
