// OutsideWalk: lists the tasks of a worker that does not answer, from outside: in a signal handler on its thread, which
// copies some tasks at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "debug/summary.hpp"
#include "task/worker.hpp"

namespace quoll::debug {

// A worker that is blocked in a call, or busy in one long stretch, changes none of its tasks, but the running one, at
// the moment in which a signal interrupts it. The handler allocates nothing and takes no lock.
//
// Lifetime: a local of the dumping task; the worker outlives it. Thread: any but the worker's.
// Limits: of each stack the innermost kFramesMax frames, of each label kLabelMax bytes; what a task waits for is not
// told.
class OutsideWalk {
 public:
  static constexpr std::size_t kTasksAtOnce = 256;

  // The tasks below `cursor` in the worker's table are still to be listed.
  OutsideWalk(const task::Worker& worker, std::size_t cursor);
  ~OutsideWalk();
  OutsideWalk(const OutsideWalk&) = delete;
  OutsideWalk& operator=(const OutsideWalk&) = delete;

  // Some more tasks; none once all are listed, or where the thread takes no signals. Keeps the caller for a moment.
  std::vector<TaskSummary> next();
  // Whether all tasks have been listed.
  bool complete() const { return complete_; }

 private:
  struct Copies;

  const task::Worker& worker_;
  std::size_t cursor_;
  bool complete_ = false;
  std::unique_ptr<Copies> copies_;
};

// The native stack of a worker's thread, as "function" lines, innermost first; empty where it takes no signals.
std::vector<std::string> native_stack_of(const task::Worker& worker);

// For how long the worker has been running the task that it runs now; 0 where it runs none.
std::chrono::nanoseconds running_for(const task::Worker& worker);

}  // namespace quoll::debug
