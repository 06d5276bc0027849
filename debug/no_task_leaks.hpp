// For GoogleTest: a test that leaves tasks behind fails, and their stacks are printed. The program links GTest itself.
//
//   class ServerTest : public quoll::debug::NoTaskLeaks { ... };          one fixture
//   int main(...) { ... quoll::debug::add_task_leak_listener(); ... }     all tests of a program
//   quoll::debug::LeftTasks left({.scope = &scope}); ... EXPECT_EQ(left.wait(), "");      a stretch of one test
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "debug/testing.hpp"

namespace quoll::debug {

inline void expect_no_task_left(LeftTasks& left) {
  const std::string tasks = left.wait();
  if (!tasks.empty()) ADD_FAILURE() << "tasks are left:\n\n" << tasks;
}

// Checks when the test's own fixture, which derives from this, has been destroyed.
class NoTaskLeaks : public ::testing::Test {
 protected:
  explicit NoTaskLeaks(LeftTasksOptions options = {}) : left_(std::move(options)) {}
  ~NoTaskLeaks() override { expect_no_task_left(left_); }

 private:
  LeftTasks left_;
};

// Checks after each test of the program.
class TaskLeakListener : public ::testing::EmptyTestEventListener {
 public:
  explicit TaskLeakListener(LeftTasksOptions options = {}) : options_(std::move(options)) {}
  void OnTestStart(const ::testing::TestInfo&) override { left_.emplace(options_); }
  void OnTestEnd(const ::testing::TestInfo&) override {
    expect_no_task_left(*left_);
    left_.reset();
  }

 private:
  const LeftTasksOptions options_;
  std::optional<LeftTasks> left_;
};

// REQUIRES: InitGoogleTest() has been called.
inline void add_task_leak_listener(LeftTasksOptions options = {}) {
  ::testing::UnitTest::GetInstance()->listeners().Append(new TaskLeakListener(std::move(options)));
}

}  // namespace quoll::debug
