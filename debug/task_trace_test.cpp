#include "debug/task_trace.hpp"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "task/clock.hpp"
#include "task/error.hpp"
#include "task/event.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

using namespace std::chrono_literals;
using task::Task;

Task<void> append_to(std::string* out, std::string_view piece) {
  out->append(piece);
  co_return;
}

Task<void> trace_for(task::Runtime* runtime, std::chrono::milliseconds time, std::string* out) {
  TraceSink sink = [out](std::string_view piece) { return append_to(out, piece); };
  co_await stream_trace(*runtime, time, std::move(sink));
}

Task<void> sleep_twice() {
  co_await task::sleep_for(10ms);
  co_await task::sleep_for(10ms);
}

Task<void> spawn_later(task::Scope& scope) {
  co_await task::sleep_for(5ms);
  scope.spawn("sleeper", sleep_twice());
  co_await scope.join();
}

Task<void> wait_for(task::Event& event) { co_await event.wait(); }

// The trace of a window in which one task waits, one spawns another, and that one sleeps twice.
std::string trace_of_a_window() {
  task::ManualClock clock;
  task::TestRuntime test(clock);
  std::string text;
  task::Event never;
  task::Scope late("test.late");
  task::Scope scope("test.scope");
  test.spawn(scope, "waiter", wait_for(never));
  test.poll();
  test.spawn(scope, "spawner", spawn_later(late));
  test.spawn(scope, "trace", trace_for(&test.runtime(), 60ms, &text));
  test.poll();
  for (const std::chrono::nanoseconds time : {5ms, 10ms, 10ms, 35ms}) {
    clock.set(clock.now_ns() + time.count());
    test.worker().fire_due_timers();
    test.poll();
  }
  while (scope.size() > 1) test.worker().run_one_for(30s);
  never.set();
  test.poll();
  return text;
}

TEST(task_trace, slices_waits_starts_and_ends_of_a_window) {
  const std::string text = trace_of_a_window();
  const nlohmann::json trace = nlohmann::json::parse(text);
  ASSERT_TRUE(trace.at("traceEvents").is_array());
  EXPECT_EQ(trace.at("otherData").at("dropped_slices"), 0);
  std::map<std::string, int> kinds;
  std::map<std::string, int> open;  // async id and name -> begun and not ended
  int sleeps = 0;
  std::set<std::string> names;
  for (const auto& event : trace.at("traceEvents")) {
    const std::string kind = event.at("ph");
    ++kinds[kind];
    EXPECT_TRUE(event.at("ts").is_number() && event.at("ts") >= 0) << event;
    EXPECT_TRUE(event.contains("pid") && event.contains("tid")) << event;
    if (kind == "X") {
      names.insert(event.at("name"));
      EXPECT_GE(event.at("dur"), 0);
      EXPECT_GT(event.at("args").at("task"), 0);
    }
    if (kind == "b" || kind == "e") {
      open[std::string(event.at("id")) + std::string(event.at("name"))] += kind == "b" ? 1 : -1;
      if (kind == "b" && event.at("name") == "sleep" && event.at("args").at("task") == "sleeper") ++sleeps;
    }
    if (kind == "b") EXPECT_NE(event.at("args").at("at"), "") << event;
  }
  for (const auto& [id, count] : open) EXPECT_EQ(count, 0) << id;
  EXPECT_EQ(sleeps, 2);
  EXPECT_TRUE(names.contains("sleeper") && names.contains("spawner")) << text;
  EXPECT_EQ(kinds["M"], 1);
  EXPECT_GE(kinds["i"], 2);
}

TEST(task_trace, one_at_a_time_and_free_again_wherever_it_is_cancelled) {
  task::TestRuntime test;
  std::string text;
  task::cancel_at_every_await(
      test, [&] { return trace_for(&test.runtime(), 5ms, &text); },
      [&] {
        std::string again;
        test.run(trace_for(&test.runtime(), 1ms, &again));
        EXPECT_FALSE(again.empty());
      });
  task::Scope scope("test.scope");
  test.spawn(scope, "trace", trace_for(&test.runtime(), std::chrono::hours(1), &text));
  test.poll();
  std::string other;
  try {
    test.run(trace_for(&test.runtime(), 1ms, &other));
    FAIL() << "two at once";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "tracing is already enabled");
  }
  scope.cancel(task::CancelReason::kUser);
  while (scope.size() > 0) test.worker().run_one_for(1s);
}

}  // namespace
}  // namespace quoll::debug
