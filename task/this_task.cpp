#include "task/this_task.hpp"

#include <cstdio>

#include "task/assert.hpp"
#include "task/worker.hpp"

namespace quoll::task {

namespace this_task {

TaskRecord& record() {
  TaskRecord* const task = Worker::current_task();
  QUOLL_ASSERT(task != nullptr);
  return *task;
}
CancelToken cancel_token() { return CancelToken(record().cancel); }
std::uint64_t id() { return record().id; }
Worker& worker() { return *record().worker; }

}  // namespace this_task

std::uint64_t running_task_id() {
  TaskRecord* const task = Worker::current_task();
  return task != nullptr ? task->id : 0;
}

void print_task(const TaskRecord& task) {
  const std::string_view state = to_string(task.state);
  std::fprintf(stderr, "task %llu is left: %.*s [%.*s]\n", static_cast<unsigned long long>(task.id),
               static_cast<int>(task.name.size()), task.name.data(), static_cast<int>(state.size()), state.data());
  const auto print = [](const std::source_location& at) {
    std::fprintf(stderr, "  %s\n    %s:%u\n", at.function_name(), at.file_name(), static_cast<unsigned>(at.line()));
  };
  for (const Frame* frame = task.leaf; frame != nullptr; frame = frame->caller) print(frame->at);
  std::fputs("  created by\n", stderr);
  print(task.created_at);
}

CancelScope::CancelScope(Kind kind)
    : task_(this_task::record()), outer_(task_.cancel), node_(kind == Kind::kShield ? nullptr : outer_, &task_) {
  task_.cancel = &node_;
}

CancelScope::~CancelScope() { task_.cancel = outer_; }

DeadlineScope::DeadlineScope(std::chrono::nanoseconds timeout, Kind kind) : CancelScope(kind) {
  Worker& worker = *task_.worker;
  node_.set_timed();
  worker.arm_timer(*this, deadline_after(worker.clock().now_ns(), timeout));
}

void DeadlineScope::renew(std::chrono::nanoseconds timeout) {
  if (node_.cancelled()) return;
  Worker& worker = *task_.worker;
  worker.disarm_timer(*this);
  worker.arm_timer(*this, deadline_after(worker.clock().now_ns(), timeout));
}

DeadlineScope::~DeadlineScope() { task_.worker->disarm_timer(*this); }

}  // namespace quoll::task
