#include "http/local_signal.hpp"

#include "task/assert.hpp"
#include "task/worker.hpp"

namespace quoll::http {

void LocalSignal::notify() {
  if (waiter_ != nullptr) waiter_->end(LocalSignalWait::Outcome::kNotified);
}

void LocalSignalWait::await_suspend(std::coroutine_handle<> self) {
  QUOLL_ASSERT(signal_.waiter_ == nullptr);
  suspend(self);
  signal_.waiter_ = this;
  if (timeout_.count() == 0) return;
  task::Worker& worker = *task_->worker;
  worker.arm_timer(*this, worker.clock().now_ns() + timeout_.count());
}

void LocalSignalWait::end(Outcome outcome) {
  if (signal_.waiter_ != this) return;
  signal_.waiter_ = nullptr;
  task_->worker->disarm_timer(*this);
  outcome_ = outcome;
  wake();
}

}  // namespace quoll::http
