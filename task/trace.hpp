// TraceLog: what a worker's tasks did in a window of time, slice by slice.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <source_location>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "task/record.hpp"
#include "task/small_mutex.hpp"

namespace quoll::task {

// One stretch in which a task ran, and what it waited for before and behind it. Times are of the monotonic clock.
struct RunSlice {
  std::uint64_t task_id = 0;
  std::uint64_t creator_id = 0;
  std::string_view name;  // of static storage
  std::string route;      // of the request it works for
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  // Before; kIdle: it had not run yet.
  TaskState before = TaskState::kIdle;
  std::source_location before_at;
  std::int64_t since_ns = 0;
  // Behind.
  bool ended = false;
  TaskState after = TaskState::kIdle;
  std::source_location after_at;
};

// Thread: the worker adds; close() and take() from any.
// Limits: kSlicesMax slices; the rest is counted.
class TraceLog {
 public:
  static constexpr std::size_t kSlicesMax = 128 * 1024;

  void add(RunSlice slice);
  // What a task that is woken has waited in; for its next slice. Worker only.
  void note_wake(const TaskRecord& task) { woken_[task.id] = task.state; }
  // kIdle where that is not known.
  TaskState take_wake(std::uint64_t task_id);
  // Nothing is added any more; the worker forgets the log when it would.
  void close() { open_.store(false, std::memory_order_relaxed); }
  bool is_open() const { return open_.load(std::memory_order_relaxed); }
  std::vector<RunSlice> take();
  std::size_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> open_{true};
  std::atomic<std::size_t> dropped_{0};
  SmallMutex mutex_;
  std::vector<RunSlice> slices_;                        // guarded by mutex_
  std::unordered_map<std::uint64_t, TaskState> woken_;  // the worker's
};

// For the worker: what can be said of a task before it runs on, and after.
RunSlice begin_slice(const TaskRecord& task, TraceLog* log);
// `task` is null where it has ended.
void end_slice(RunSlice& slice, const TaskRecord* task);

}  // namespace quoll::task
