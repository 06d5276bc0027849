#include "debug/cpu_profiler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <latch>
#include <string>
#include <thread>

#include "debug/profiles.hpp"
#include "task/error.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

using namespace std::chrono_literals;
using task::Task;

// Uses up processor time.
[[clang::noinline]] static void burn_for_the_test(std::chrono::nanoseconds time) {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  const auto end = std::chrono::nanoseconds(time.count() + now.tv_sec * 1'000'000'000 + now.tv_nsec);
  volatile unsigned sum = 0;
  do {
    for (unsigned i = 0; i < 100'000; ++i) sum = sum + i;
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  } while (std::chrono::nanoseconds(now.tv_sec * 1'000'000'000 + now.tv_nsec) < end);
}

[[clang::noinline]] Task<void> burn_in_a_task() {
  co_await task::yield();
  burn_for_the_test(300ms);
}

[[clang::noinline]] Task<void> wait_for_the_burner() { co_await burn_in_a_task(); }

Task<void> labelled(const task::Labels* labels) {
  const task::LabelScope in_force(labels);
  co_await wait_for_the_burner();
}

std::vector<std::string> functions_of(const ValueSample& sample) {
  std::vector<std::string> names;
  for (const Place* place : sample.stack) names.push_back(place->function);
  return names;
}

std::string label_of(const ValueSample& sample, std::string_view name) {
  for (const auto& [label, text] : sample.labels) {
    if (label == name) return text;
  }
  return "";
}

TEST(cpu_profiler, samples_carry_the_native_stack_the_chain_of_awaits_and_the_route) {
  task::TestRuntime test;
  task::Labels labels;
  labels.route = "/burn/{id}";
  CpuProfiler profiler;
  test.run(labelled(&labels));
  profiler.stop();
  const ValueProfile profile = profiler.profile();
  std::int64_t burning = 0;
  for (const ValueSample& sample : profile.sorted()) {
    const std::vector<std::string> names = functions_of(sample);
    if (!names.front().ends_with("burn_for_the_test")) continue;
    burning += sample.values[0];
    EXPECT_EQ(sample.values[1], sample.values[0] * 10'000'000);
    EXPECT_EQ(label_of(sample, "route"), "/burn/{id}");
    EXPECT_EQ(label_of(sample, "task"), "test");
    ASSERT_GE(names.size(), 4u);
    EXPECT_THAT(names[1], testing::HasSubstr("burn_in_a_task")) << "awaits go on where the native stack ends";
    EXPECT_THAT(names[2], testing::HasSubstr("wait_for_the_burner"));
    EXPECT_THAT(names[3], testing::HasSubstr("labelled"));
  }
  // 30 of them, less what the kernel's tick loses: on a machine with more work than processors that is most.
  EXPECT_GE(burning, 1);
  EXPECT_LE(burning, 40);
  EXPECT_EQ(profiler.lost(), 0u);
}

TEST(cpu_profiler, threads_that_come_later_are_sampled_and_those_that_sleep_are_not) {
  CpuProfiler profiler;
  std::latch there(3);
  std::promise<void> found, burnt;
  std::thread late([&] {
    ::pthread_setname_np(::pthread_self(), "late");
    there.arrive_and_wait();
    found.get_future().wait();
    burn_for_the_test(200ms);
    burnt.set_value();
  });
  std::promise<void> over;
  std::thread asleep([&] {
    ::pthread_setname_np(::pthread_self(), "asleep");
    there.arrive_and_wait();
    over.get_future().wait();
  });
  there.arrive_and_wait();
  profiler.collect();
  found.set_value();
  for (std::future<void> end = burnt.get_future(); end.wait_for(10ms) != std::future_status::ready;) profiler.collect();
  over.set_value();
  late.join();
  asleep.join();
  profiler.stop();
  std::int64_t sum = 0;
  for (const ValueSample& sample : profiler.profile().sorted()) {
    const std::string thread = label_of(sample, "thread");
    EXPECT_NE(thread, "asleep");
    if (thread == "late" && functions_of(sample).front().ends_with("burn_for_the_test")) sum += sample.values[0];
  }
  EXPECT_GE(sum, 1);
}

TEST(cpu_profiler, there_is_one_at_a_time_and_the_next_one_can_follow) {
  {
    CpuProfiler first;
    try {
      CpuProfiler second;
      FAIL() << "two at once";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), "cpu profiling already in use");
    }
  }
  CpuProfiler third;
}

TEST(cpu_profiler, a_cancelled_profile_frees_the_profiler) {
  task::TestRuntime test;
  const int awaits = task::cancel_at_every_await(
      test, []() -> Task<void> { co_await take_cpu_profile(150ms); }, [] { CpuProfiler free_again; });
  EXPECT_GE(awaits, 2);
}

}  // namespace
}  // namespace quoll::debug
