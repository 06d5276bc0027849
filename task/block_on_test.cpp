#include "task/block_on.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"
#include "task/runtime.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

Task<void> wait_and_set(int* value) {
  co_await sleep_for(std::chrono::milliseconds(1));
  *value = 7;
}

Task<void> fail() {
  co_await yield();
  throw Error(ErrorClass::kConflict, "no");
}

struct Started {
  Started() : worker(runtime.add_worker("worker")) { runtime.start(); }
  Runtime runtime;
  Worker& worker;
};

TEST(block_on, returns_when_the_task_has_ended) {
  Started started;
  int value = 0;
  block_on(started.worker, "test", wait_and_set(&value));
  EXPECT_EQ(value, 7);
  EXPECT_EQ(started.runtime.task_count(), 0u);
}

TEST(block_on, rethrows_what_the_task_throws) {
  Started started;
  EXPECT_THROW(block_on(started.worker, "test", fail()), Error);
}

}  // namespace
}  // namespace quoll::task
