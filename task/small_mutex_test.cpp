#include "task/small_mutex.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace quoll::task {
namespace {

TEST(small_mutex, one_thread_at_a_time_is_inside) {
  SmallMutex mutex;
  int inside = 0;
  long sum = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20'000; ++round) {
        const std::lock_guard lock(mutex);
        ASSERT_EQ(++inside, 1);
        sum += 1;
        if (round % 64 == 0) std::this_thread::yield();  // so that others have to sleep
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 80'000);
}

}  // namespace
}  // namespace quoll::task
