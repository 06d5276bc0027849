// block, mutex, threadcreate and the deltas; heap is tested where the hooks are (daemon/malloc_hooks_test.cpp).
#include "debug/profiles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <regex>
#include <thread>

#include "debug/wait_profile.hpp"
#include "task/event.hpp"
#include "task/mutex.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"
#include "tests/debug_readers/profile_decoder.hpp"

namespace quoll::debug {
namespace {

using namespace std::chrono_literals;
using task::Task;

Task<void> wait_inside(task::Event& event) { co_await event.wait(); }
Task<void> wait_outside(task::Event& event) { co_await wait_inside(event); }
Task<void> hold_for_a_while(task::Mutex& mutex) {
  auto guard = co_await mutex.lock();
  co_await task::sleep_for(40ms);
}
Task<void> want_it_too(task::Mutex& mutex) { auto guard = co_await mutex.lock(); }
Task<void> set_later(task::Event& event) {
  co_await task::sleep_for(40ms);
  event.set();
}

std::vector<ValueSample> samples_with(const ValueProfile& profile, std::string_view function) {
  std::vector<ValueSample> found;
  for (ValueSample& sample : profile.sorted()) {
    const auto named = [&](const Place* place) { return place->function.ends_with(function); };
    if (std::any_of(sample.stack.begin(), sample.stack.end(), named)) found.push_back(std::move(sample));
  }
  return found;
}

class ProfilesTest : public testing::Test {
 protected:
  void wait_for_an_event() {
    task::Event event;
    task::Scope scope("test.scope");
    for (int i = 0; i < 3; ++i) test_.spawn(scope, "waiter", wait_outside(event));
    test_.run(set_later(event));
    test_.run(join(scope));
  }
  static Task<void> join(task::Scope& scope) { co_await scope.join(); }

  task::TestRuntime test_;
};

TEST_F(ProfilesTest, block_has_where_tasks_waited_and_for_how_long) {
  wait_for_an_event();
  const auto found = samples_with(wait_profile(test_.runtime(), WaitKind::kBlock), "wait_inside");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].values[0], 3);
  EXPECT_GE(found[0].values[1], 3 * 30'000'000);
  EXPECT_LE(found[0].values[1], 3LL * 10'000'000'000);
  EXPECT_EQ(found[0].labels, (SampleLabels{{"state", "sync.Cond.Wait"}}));
  ASSERT_EQ(found[0].stack.size(), 2u);
  EXPECT_TRUE(found[0].stack[1]->function.ends_with("wait_outside"));
}

TEST_F(ProfilesTest, mutex_has_who_held_it) {
  task::Mutex mutex;
  task::Scope scope("test.scope");
  test_.spawn(scope, "holder", hold_for_a_while(mutex));
  for (int i = 0; i < 2; ++i) test_.spawn(scope, "waiter", want_it_too(mutex));
  test_.run(join(scope));
  const ValueProfile profile = wait_profile(test_.runtime(), WaitKind::kMutex);
  const auto found = samples_with(profile, "hold_for_a_while");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].values[0], 1) << "the next in the queue waited for the holder";
  EXPECT_GE(found[0].values[1], 30'000'000);
}

TEST_F(ProfilesTest, the_text_is_in_the_form_of_pprofs_contention_profiles) {
  wait_for_an_event();
  const std::string text = wait_text(test_.runtime(), WaitKind::kBlock);
  EXPECT_TRUE(text.starts_with("--- contention:\ncycles/second=1000000000\n")) << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("\n\\d+ 3 @( 0x[0-9a-f]+){2}\n# labels: \\{.*\\}\n#\t0x"))) << text;
  EXPECT_TRUE(wait_text(test_.runtime(), WaitKind::kMutex)
                  .starts_with("--- mutex:\ncycles/second=1000000000\nsampling period=1\n"));
}

Task<void> wait_during(task::TestRuntime* test, std::string* profile) {
  *profile = co_await take_profile(test->runtime(), *find_cumulative_profile("block"), 100ms);
}

TEST_F(ProfilesTest, a_delta_has_what_came_in_that_time_only) {
  wait_for_an_event();
  std::string bytes;
  test_.run(wait_during(&test_, &bytes));
  const auto profile = debug_readers::ProfileDecoder::decode(bytes);
  EXPECT_GT(profile.duration_nanos, 0);
  for (const auto& sample : profile.samples) {
    EXPECT_THAT(sample.functions, testing::Not(testing::Contains(testing::HasSubstr("wait_inside"))));
  }
}

TEST_F(ProfilesTest, threadcreate_counts_every_thread) {
  std::promise<void> counted;
  std::thread extra([&counted] { counted.get_future().wait(); });
  const CumulativeProfile& profile = *find_cumulative_profile("threadcreate");
  EXPECT_GE(profile.collect(test_.runtime()).total(0), 2);
  EXPECT_TRUE(
      std::regex_search(profile.text(test_.runtime()), std::regex("^threadcreate profile: total \\d+\n\\d+ @ 0x")));
  counted.set_value();
  extra.join();
}

TEST_F(ProfilesTest, a_cancelled_delta_leaves_nothing) {
  task::cancel_at_every_await(test_, [this]() -> Task<void> {
    co_await take_profile(test_.runtime(), *find_cumulative_profile("block"), 20ms);
  });
}

}  // namespace
}  // namespace quoll::debug
