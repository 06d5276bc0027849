#include "task/this_task.hpp"

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

DeadlineScope::~DeadlineScope() { task_.worker->disarm_timer(*this); }

}  // namespace quoll::task
