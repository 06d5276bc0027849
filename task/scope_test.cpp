#include "task/scope.hpp"

#include <gtest/gtest.h>

#include "task/event.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

Task<void> wait_for(Event& event) { co_await event.wait(); }
Task<void> fail(std::string message) {
  co_await yield();
  throw Error(ErrorClass::kInternal, message);
}

TEST(scope, join_waits_for_all_children) {
  TestRuntime test;
  Event event;
  Scope outer("outer");
  bool joined = false;
  auto body = [](Event& open, bool* done) -> Task<void> {
    Scope scope("inner");
    for (int i = 0; i < 3; ++i) scope.spawn("child", wait_for(open));
    EXPECT_EQ(scope.size(), 3u);
    co_await scope.join();
    EXPECT_EQ(scope.size(), 0u);
    *done = true;
  };
  test.spawn(outer, "body", body(event, &joined));
  test.poll();
  EXPECT_FALSE(joined);
  EXPECT_EQ(test.worker().tasks()[0]->state, TaskState::kWaitGroupWait);
  event.set();
  test.poll();
  EXPECT_TRUE(joined);
}

TEST(scope, join_of_an_empty_scope_returns_at_once_and_it_can_be_used_again) {
  TestRuntime test;
  auto body = []() -> Task<int> {
    Scope scope("inner");
    int rounds = 0;
    co_await scope.join();
    for (; rounds < 3; ++rounds) {
      Event event;
      event.set();
      scope.spawn("child", wait_for(event));
      co_await scope.join();
    }
    co_return rounds;
  };
  EXPECT_EQ(test.run(body()), 3);
}

TEST(scope, join_waits_even_where_the_task_is_cancelled) {
  TestRuntime test;
  Event event;
  Scope outer("outer");
  bool joined = false;
  auto stubborn = [](Event& open) -> Task<void> {
    CancelScope shield(CancelScope::Kind::kShield);
    co_await open.wait();
  };
  auto body = [](Task<void> child, bool* done) -> Task<void> {
    Scope scope("inner");
    scope.spawn("child", std::move(child));
    co_await scope.join();
    *done = true;
  };
  test.spawn(outer, "body", body(stubborn(event), &joined));
  test.poll();
  outer.cancel(CancelReason::kClientGone);
  test.poll();
  EXPECT_FALSE(joined);
  event.set();
  test.poll();
  EXPECT_TRUE(joined);
}

TEST(scope, join_throws_the_first_failure_once) {
  TestRuntime test;
  auto body = []() -> Task<std::string> {
    Scope scope("inner");
    scope.spawn("first", fail("first"));
    scope.spawn("second", fail("second"));
    std::string message;
    try {
      co_await scope.join();
    } catch (const Error& error) {
      message = error.message();
    }
    co_await scope.join();
    co_return message;
  };
  EXPECT_EQ(test.run(body()), "first");
}

TEST(scope, cancelled_children_are_no_failure) {
  TestRuntime test;
  auto body = []() -> Task<bool> {
    Event never;
    Scope scope("inner");
    scope.spawn("child", wait_for(never));
    co_await yield();
    scope.cancel(CancelReason::kUser);
    co_await scope.join();
    co_return true;
  };
  EXPECT_TRUE(test.run(body()));
}

TEST(scope, a_failure_handler_gets_each_failure_with_the_tasks_name) {
  TestRuntime test;
  std::vector<std::string> failures;
  Scope scope("scope", [&](std::uint64_t id, std::string_view name, std::exception_ptr failure) {
    EXPECT_NE(id, 0u);
    EXPECT_EQ(Worker::current_task(), nullptr);
    try {
      std::rethrow_exception(failure);
    } catch (const Error& error) {
      failures.push_back(std::string(name) + ": " + error.message());
    }
  });
  test.spawn(scope, "a", fail("one"));
  test.spawn(scope, "b", fail("two"));
  test.poll();
  EXPECT_EQ(failures, (std::vector<std::string>{"a: one", "b: two"}));
  auto join = [](Scope& own) -> Task<void> { co_await own.join(); };
  EXPECT_NO_THROW(test.run(join(scope)));
}

TEST(scope, a_child_may_spawn_siblings_while_the_scope_is_joined) {
  TestRuntime test;
  auto spawn_more = [](Scope& scope, int* ended) -> Task<void> {
    struct More {
      static Task<void> run(Scope& own, int left, int* count) {
        co_await yield();
        if (left > 0) own.spawn("more", run(own, left - 1, count));
        ++*count;
      }
    };
    scope.spawn("more", More::run(scope, 4, ended));
    co_await scope.join();
  };
  Scope scope("inner");
  int ended = 0;
  test.run(spawn_more(scope, &ended));
  EXPECT_EQ(ended, 5);
}

TEST(scope, one_made_in_a_task_is_cancelled_with_it_and_a_root_is_not) {
  TestRuntime test;
  Scope outer("outer");
  std::unique_ptr<Scope> root;
  bool below_cancelled = false;
  auto body = [](std::unique_ptr<Scope>* made, bool* cancelled) -> Task<void> {
    Event never;
    Scope below("below");
    *made = std::make_unique<Scope>("root", Scope::Kind::kRoot);
    below.spawn("wait", wait_for(never));
    co_await below.join();
    *cancelled = below.cancelled();
  };
  test.spawn(outer, "body", body(&root, &below_cancelled));
  test.poll();
  outer.cancel(CancelReason::kClientGone);
  test.poll();
  EXPECT_TRUE(below_cancelled);
  EXPECT_EQ(outer.size(), 0u);
  EXPECT_FALSE(root->cancelled());
  Event event;
  test.spawn(*root, "still works", wait_for(event));
  test.poll();
  EXPECT_EQ(root->size(), 1u);
  event.set();
  test.poll();
}

TEST(scope, a_record_knows_its_creator_and_the_place_of_its_spawn) {
  TestRuntime test;
  Event event;
  Scope outer("outer");
  auto body = [](Event& open) -> Task<void> {
    Scope scope("inner");
    scope.spawn("child", wait_for(open));
    co_await scope.join();
  };
  test.spawn(outer, "body", body(event));
  test.poll();
  const auto tasks = test.worker().tasks();
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[1]->creator_id(), tasks[0]->id);
  EXPECT_EQ(tasks[1]->name, "child");
  EXPECT_EQ(tasks[1]->scope->name(), "inner");
  EXPECT_NE(std::string_view(tasks[1]->created_at.file_name()).find("scope_test.cpp"), std::string_view::npos);
  EXPECT_EQ(tasks[0]->creator_id(), 0u);
  event.set();
  test.poll();
}

// Bodies for with_scope(): what they need is in members, which live as long as it does.
Task<void> count_later(int* count) {
  co_await yield();
  ++*count;
}

struct SpawnOne {
  int* ended;
  Task<void> operator()(Scope& scope) const {
    scope.spawn("child", count_later(ended));
    co_return;
  }
};

struct SpawnAndThrow {
  Event* never;
  Task<void> operator()(Scope& scope) const {
    scope.spawn("child", wait_for(*never));
    co_await yield();
    throw Error(ErrorClass::kConflict, "between spawn and join");
  }
};

struct SpawnTwo {
  int* ended;
  Task<void> operator()(Scope& scope) const {
    scope.spawn("child", count_later(ended));
    co_await yield();
    scope.spawn("child", count_later(ended));
    co_await sleep_for(std::chrono::microseconds(1));
  }
};

TEST(with_scope, joins_after_the_body_has_returned) {
  TestRuntime test;
  int ended = 0;
  test.run(with_scope("test", SpawnOne{&ended}));
  EXPECT_EQ(ended, 1);
}

TEST(with_scope, a_throwing_body_cancels_and_joins_the_children_first) {
  TestRuntime test;
  Event never;
  try {
    test.run(with_scope("test", SpawnAndThrow{&never}));
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kConflict);
  }
  EXPECT_EQ(test.runtime().task_count(), 0u);
}

TEST(with_scope, a_childs_failure_is_thrown_where_the_body_has_none) {
  TestRuntime test;
  auto body = [](Scope& scope) -> Task<void> {
    scope.spawn("child", fail("child"));
    co_return;
  };
  EXPECT_THROW(test.run(with_scope("test", body)), Error);
}

TEST(with_scope, cancelled_at_every_await_nothing_is_left) {
  TestRuntime test;
  int ended = 0;
  EXPECT_GE(cancel_at_every_await(
                test, [&] { return with_scope("test", SpawnTwo{&ended}); },
                [&] { EXPECT_EQ(test.runtime().task_count(), 0u); }),
            4);
}

TEST(ScopeDeathTest, one_that_ends_with_live_children_ends_the_process) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        TestRuntime test;
        Event event;
        Scope scope("test");
        test.spawn(scope, "child", wait_for(event));
        test.poll();
        scope.~Scope();
      },
      "size\\(\\) == 0");
}

}  // namespace
}  // namespace quoll::task
