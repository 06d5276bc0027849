// Notices workers that one task has kept busy for too long, and names the task with its stacks.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

struct WorkerWatchOptions {
  std::chrono::nanoseconds period = std::chrono::seconds(2);
  std::chrono::nanoseconds bound = std::chrono::seconds(2);  // how long one turn of a worker may take
  std::function<void(std::string_view)> log;                 // a paragraph, or one line
};

// Runs until it is cancelled, on a worker that is not to be blocked itself. Each time that a worker is blocked is
// logged once when it is noticed and once when it is over.
task::Task<void> watch_workers(task::Runtime& runtime, WorkerWatchOptions options);

}  // namespace quoll::debug
