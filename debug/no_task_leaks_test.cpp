// A test that leaves tasks behind is told so. Method: tasks that a test leaves on purpose, on a runtime with a thread,
// and the failures that come of it caught by GoogleTest's own means.
#include "debug/no_task_leaks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>

#include <thread>

#include "task/event.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

using task::Task;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Task<void> wait_on(task::Event* event) { co_await event->wait(); }
Task<void> end_soon() { co_await task::sleep_for(std::chrono::milliseconds(20)); }

Task<void> spawn_into(task::Scope* scope, task::Event* event) {
  scope->spawn("grandchild", wait_on(event));
  co_await event->wait();
}

LeftTasksOptions impatient() { return {.patience = std::chrono::milliseconds(0)}; }

class NoTaskLeaksTest : public ::testing::Test {
 protected:
  NoTaskLeaksTest() { runtime_.start(); }
  ~NoTaskLeaksTest() override {
    event_.set();
    for (task::Scope* scope : {&scope_, &other_, &outliving_}) {
      while (scope->size() > 0) std::this_thread::yield();
    }
  }
  void spawn(task::Scope& scope, std::string_view name, Task<void> work) {
    scope.spawn_on(worker_, name, std::move(work));
  }
  void spawn_waiting(task::Scope& scope, std::string_view name) { spawn(scope, name, wait_on(&event_)); }

  task::Runtime runtime_;
  task::Worker& worker_ = runtime_.add_worker("work");
  task::Event event_;
  task::Scope scope_{"test.scope"};
  task::Scope other_{"test.other"};
  task::Scope outliving_{"test.outliving"};
};

TEST_F(NoTaskLeaksTest, what_is_left_is_given_with_its_stack) {
  spawn_waiting(scope_, "before");
  LeftTasks left(impatient());
  EXPECT_EQ(left.wait(), "");
  spawn_waiting(scope_, "leaked");
  EXPECT_THAT(left.wait(),
              AllOf(HasSubstr("[sync.Cond.Wait]:\nquoll::debug::wait_on(...)\n\tdebug/no_task_leaks_test.cpp:"),
                    Not(HasSubstr("\n\n"))));
}

TEST_F(NoTaskLeaksTest, what_ends_in_time_is_waited_for) {
  LeftTasks left({.patience = std::chrono::minutes(1)});
  spawn(scope_, "soon", end_soon());
  EXPECT_EQ(left.wait(), "");
}

TEST_F(NoTaskLeaksTest, names_and_functions_can_be_ignored) {
  LeftTasksOptions options = impatient();
  options.ignored_names = {"service"};
  LeftTasks by_name(options);
  LeftTasks by_creator(
      {.ignored_functions = {"quoll::debug::NoTaskLeaksTest::spawn"}, .patience = std::chrono::milliseconds(0)});
  spawn_waiting(scope_, "service");
  EXPECT_EQ(by_name.wait(), "");
  EXPECT_EQ(by_creator.wait(), "");
}

TEST_F(NoTaskLeaksTest, a_scope_sees_its_own_tasks_and_what_they_have_spawned) {
  LeftTasks of_scope({.scope = &scope_, .patience = std::chrono::milliseconds(0)});
  spawn_waiting(other_, "somebody else's");
  EXPECT_EQ(of_scope.wait(), "");
  spawn(scope_, "child", spawn_into(&outliving_, &event_));
  const std::string left = of_scope.wait();
  EXPECT_THAT(left, HasSubstr("spawn_into(...)"));
  EXPECT_THAT(left, HasSubstr("created by"));
  EXPECT_EQ(std::count(left.begin(), left.end(), '['), 2);
}

TEST_F(NoTaskLeaksTest, another_runtimes_tasks_can_be_left_out) {
  task::Runtime quiet;
  LeftTasks of_quiet({.runtime = &quiet, .patience = std::chrono::milliseconds(0)});
  spawn_waiting(scope_, "leaked");
  EXPECT_EQ(of_quiet.wait(), "");
}

TEST_F(NoTaskLeaksTest, the_listener_fails_a_test_that_leaves_a_task) {
  TaskLeakListener listener(impatient());
  const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
  listener.OnTestStart(test);
  spawn_waiting(scope_, "leaked");
  EXPECT_NONFATAL_FAILURE(listener.OnTestEnd(test), "wait_on(...)");
}

struct Leaky : NoTaskLeaks {
  Leaky() : NoTaskLeaks(impatient()) {}
  void TestBody() override {}
};

TEST_F(NoTaskLeaksTest, the_fixture_fails_a_test_that_leaves_a_task) {
  auto leaky = std::make_unique<Leaky>();
  spawn_waiting(scope_, "leaked");
  EXPECT_NONFATAL_FAILURE(leaky.reset(), "tasks are left");
  EXPECT_NO_FATAL_FAILURE(Leaky());
}

}  // namespace
}  // namespace quoll::debug
