// Looks for leaks from time to time: names each once, with its stack, and counts them.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "debug/leaks.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

struct LeakWatchOptions {
  LeakOptions leaks;
  std::chrono::nanoseconds period = std::chrono::seconds(10);
  std::function<void(std::string_view)> log;  // a leak as a paragraph of several lines
};

// Runs until it is cancelled. leak_totals() has what it has counted.
task::Task<void> watch_for_leaks(task::Runtime& runtime, LeakWatchOptions options);

}  // namespace quoll::debug
