#include "task/timer.hpp"

#include "task/worker.hpp"

namespace quoll::task {

void SleepWait::await_suspend(std::coroutine_handle<> self) {
  Worker& worker = *task_->worker;
  const std::int64_t now_ns = worker.clock().now_ns();
  const std::int64_t deadline_ns =
      relative_ ? deadline_after(now_ns, std::chrono::nanoseconds(deadline_ns_)) : deadline_ns_;
  suspend(self);
  worker.arm_timer(*this, deadline_ns);
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
