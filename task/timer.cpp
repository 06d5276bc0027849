#include "task/timer.hpp"

#include "task/worker.hpp"

namespace quoll::task {

void SleepWait::await_suspend(std::coroutine_handle<> self) {
  Worker& worker = *task_->worker;
  suspend(self);
  worker.arm_timer(*this, relative_ ? worker.clock().now_ns() + deadline_ns_ : deadline_ns_);
}

void SleepWait::fire() {
  fired_ = true;
  wake();
}

void SleepWait::cancel() {
  if (!armed()) return;
  task_->worker->disarm_timer(*this);
  wake();
}

}  // namespace quoll::task
