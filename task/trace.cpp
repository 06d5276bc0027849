#include "task/trace.hpp"

#include "task/clock.hpp"

namespace quoll::task {

void TraceLog::add(RunSlice slice) {
  std::lock_guard lock(mutex_);
  if (slices_.size() < kSlicesMax) {
    slices_.push_back(std::move(slice));
  } else {
    dropped_.fetch_add(1, std::memory_order_relaxed);
  }
}

std::vector<RunSlice> TraceLog::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(slices_, {});
}

TaskState TraceLog::take_wake(std::uint64_t task_id) {
  const auto woken = woken_.find(task_id);
  if (woken == woken_.end()) return TaskState::kIdle;
  const TaskState state = woken->second;
  woken_.erase(woken);
  return state;
}

RunSlice begin_slice(const TaskRecord& task, TraceLog* log) {
  RunSlice slice;
  slice.task_id = task.id;
  slice.creator_id = task.creator_id();
  slice.name = task.name;
  slice.since_ns = task.since_ns;
  if (task.labels != nullptr) slice.route = task.labels->route;
  if (log != nullptr) slice.before = log->take_wake(task.id);
  if (task.leaf != nullptr) slice.before_at = task.leaf->at;
  slice.start_ns = precise_now_ns();
  return slice;
}

void end_slice(RunSlice& slice, const TaskRecord* task) {
  slice.end_ns = precise_now_ns();
  slice.ended = task == nullptr;
  if (slice.ended) return;
  slice.after = task->state;
  if (task->leaf != nullptr) slice.after_at = task->leaf->at;
  if (slice.route.empty() && task->labels != nullptr) slice.route = task->labels->route;
}

}  // namespace quoll::task
