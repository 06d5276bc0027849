#include "task/cancel.hpp"

#include <gtest/gtest.h>

#include "task/event.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

TEST(cancel, a_node_cancels_everything_below_it_and_nothing_above) {
  CancelNode root(nullptr, nullptr);
  CancelNode middle(&root, nullptr);
  CancelNode leaf(&middle, nullptr);
  CancelNode sibling(&root, nullptr);
  middle.cancel(CancelReason::kOverload);
  EXPECT_FALSE(root.cancelled());
  EXPECT_FALSE(sibling.cancelled());
  EXPECT_EQ(middle.reason(), CancelReason::kOverload);
  EXPECT_EQ(leaf.reason(), CancelReason::kOverload);
  EXPECT_GT(leaf.cancelled_at_ns(), 0);
  EXPECT_EQ(root.cancelled_at_ns(), 0);
}

TEST(cancel, the_first_reason_wins) {
  CancelNode root(nullptr, nullptr);
  CancelNode child(&root, nullptr);
  child.cancel(CancelReason::kDeadline);
  root.cancel(CancelReason::kShutdown);
  root.cancel(CancelReason::kUser);
  EXPECT_EQ(child.reason(), CancelReason::kDeadline);
  EXPECT_EQ(root.reason(), CancelReason::kShutdown);
}

TEST(cancel, a_node_below_a_cancelled_one_is_born_cancelled) {
  CancelNode root(nullptr, nullptr);
  root.cancel(CancelReason::kClientGone);
  CancelNode child(&root, nullptr);
  EXPECT_EQ(child.reason(), CancelReason::kClientGone);
}

TEST(cancel, children_may_go_in_any_order) {
  CancelNode root(nullptr, nullptr);
  auto a = std::make_unique<CancelNode>(&root, nullptr);
  auto b = std::make_unique<CancelNode>(&root, nullptr);
  auto c = std::make_unique<CancelNode>(&root, nullptr);
  b.reset();
  root.cancel(CancelReason::kUser);
  EXPECT_TRUE(a->cancelled() && c->cancelled());
  c.reset();
  a.reset();
}

TEST(cancel, each_reason_has_its_own_word) {
  std::vector<std::string_view> words;
  for (const auto reason :
       {CancelReason::kNone, CancelReason::kClientGone, CancelReason::kDeadline, CancelReason::kShutdown,
        CancelReason::kParent, CancelReason::kOverload, CancelReason::kUser}) {
    words.push_back(to_string(reason));
  }
  std::sort(words.begin(), words.end());
  EXPECT_EQ(std::unique(words.begin(), words.end()), words.end());
}

TEST(CancelDeathTest, a_node_that_goes_before_its_child_ends_the_process) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto root = std::make_unique<CancelNode>(nullptr, nullptr);
        CancelNode child(root.get(), nullptr);
        root.reset();
      },
      "first_child_ == nullptr");
}

Task<void> wait_and_note(Event& event, CancelReason* reason) {
  try {
    co_await event.wait();
  } catch (const Cancelled& cancelled) {
    *reason = cancelled.reason();
    throw;
  }
}

TEST(cancel, a_suspended_task_is_woken_and_told_the_reason) {
  TestRuntime test;
  Event event;
  Scope scope("test");
  CancelReason reason = CancelReason::kNone;
  test.spawn(scope, "wait", wait_and_note(event, &reason));
  test.poll();
  scope.cancel(CancelReason::kClientGone);
  test.poll();
  EXPECT_EQ(reason, CancelReason::kClientGone);
  EXPECT_EQ(scope.size(), 0u);
}

TEST(cancel, a_task_that_was_woken_before_the_cancel_finishes_its_await) {
  TestRuntime test;
  Event event;
  Scope scope("test");
  CancelReason reason = CancelReason::kNone;
  test.spawn(scope, "wait", wait_and_note(event, &reason));
  test.poll();
  event.set();
  scope.cancel(CancelReason::kClientGone);
  test.poll();
  EXPECT_EQ(reason, CancelReason::kNone);
}

TEST(cancel, a_task_that_has_not_started_runs_to_its_first_await) {
  TestRuntime test;
  Event event;
  event.set();
  Scope scope("test");
  CancelReason reason = CancelReason::kNone;
  test.spawn(scope, "wait", wait_and_note(event, &reason));
  scope.cancel(CancelReason::kShutdown);
  test.poll();
  EXPECT_EQ(reason, CancelReason::kShutdown) << "an await under a cancelled token throws, ready or not";
}

TEST(cancel, a_task_may_end_while_its_interrupt_is_still_queued) {
  TestRuntime test;
  auto body = [](Scope& own) -> Task<void> {
    own.cancel(CancelReason::kUser);
    co_return;
  };
  for (int round = 0; round < 100; ++round) {
    Scope scope("test");
    test.spawn(scope, "body", body(scope));
    test.poll();
    EXPECT_EQ(scope.size(), 0u);
  }
}

TEST(cancel, the_token_of_a_block_ends_with_the_block) {
  TestRuntime test;
  auto body = []() -> Task<bool> {
    {
      CancelScope block;
      block.node().cancel(CancelReason::kOverload);
      EXPECT_EQ(this_task::cancel_token().reason(), CancelReason::kOverload);
      EXPECT_THROW(this_task::cancel_token().throw_if_cancelled(), Cancelled);
      bool thrown = false;
      try {
        co_await yield();
      } catch (const Cancelled& cancelled) {
        thrown = cancelled.reason() == CancelReason::kOverload;
      }
      EXPECT_TRUE(thrown);
    }
    EXPECT_FALSE(this_task::cancel_token().cancelled());
    co_await yield();
    co_return true;
  };
  EXPECT_TRUE(test.run(body()));
}

TEST(cancel, a_shield_keeps_the_outer_token_out_until_it_ends) {
  TestRuntime test;
  Scope scope("test");
  Event event;
  int steps = 0;
  auto body = [](Event& wait_for, int* count) -> Task<void> {
    {
      CancelScope shield(CancelScope::Kind::kShield);
      co_await wait_for.wait();
      ++*count;
      co_await yield();
      ++*count;
    }
    co_await yield();
    ++*count;
  };
  test.spawn(scope, "body", body(event, &steps));
  test.poll();
  scope.cancel(CancelReason::kUser);
  test.poll();
  EXPECT_EQ(scope.size(), 1u);
  event.set();
  test.poll();
  EXPECT_EQ(steps, 2);
  EXPECT_EQ(scope.size(), 0u);
}

TEST(cancel, labels_are_in_force_for_their_block_and_inherited_by_its_scopes) {
  TestRuntime test;
  auto labels_of_child = []() -> Task<const Labels*> {
    Scope scope("test");
    const Labels* seen = nullptr;
    scope.spawn("child", [](const Labels** out) -> Task<void> {
      *out = this_task::record().labels;
      co_return;
    }(&seen));
    co_await scope.join();
    co_return seen;
  };
  auto body = [](Task<const Labels*> inside) -> Task<void> {
    Labels labels;
    labels.request_id = 9;
    {
      LabelScope named(&labels);
      EXPECT_EQ(this_task::record().labels, &labels);
      const Labels* const seen = co_await std::move(inside);
      EXPECT_EQ(seen, &labels);
      const Scope root("root", Scope::Kind::kRoot);
    }
    EXPECT_EQ(this_task::record().labels, nullptr);
  };
  test.run(body(labels_of_child()));
}

}  // namespace
}  // namespace quoll::task
