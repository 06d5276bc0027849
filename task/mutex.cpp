#include "task/mutex.hpp"

namespace quoll::task {

bool MutexWait::await_suspend(std::coroutine_handle<> self) {
  std::lock_guard lock(mutex_.mutex_);
  if (!mutex_.locked_) {
    mutex_.locked_ = owns_ = true;
    mutex_.holder_id_.store(task_->id, std::memory_order_relaxed);
    return false;
  }
  suspend(self);
  mutex_.waiters_.push_back(*this);
  return true;
}

Mutex::Guard MutexWait::await_resume() {
  if (!owns_) throw_cancelled();
  return Mutex::Guard(&mutex_);
}

WaitTarget MutexWait::target() const {
  WaitTarget target;
  target.object = &mutex_;
  std::lock_guard lock(mutex_.mutex_);
  target.add({mutex_.holder_id(), mutex_.guard_.load(std::memory_order_relaxed)});
  return target;
}

void MutexWait::cancel() {
  std::lock_guard lock(mutex_.mutex_);
  if (mutex_.waiters_.remove(*this)) wake();
}

void Mutex::unlock() {
  std::lock_guard lock(mutex_);
  MutexWait* const next = waiters_.pop_front();
  locked_ = next != nullptr;
  holder_id_.store(next != nullptr ? next->task_->id : 0, std::memory_order_relaxed);
  guard_.store(nullptr, std::memory_order_relaxed);
  if (next == nullptr) return;
  next->owns_ = true;
  next->wake();
}

bool SemaphoreWait::await_suspend(std::coroutine_handle<> self) {
  std::lock_guard lock(semaphore_.mutex_);
  if (semaphore_.permits_ > 0) {
    --semaphore_.permits_;
    owns_ = true;
    return false;
  }
  suspend(self);
  semaphore_.waiters_.push_back(*this);
  return true;
}

Semaphore::Permit SemaphoreWait::await_resume() {
  if (!owns_) throw_cancelled();
  return Semaphore::Permit(&semaphore_);
}

void SemaphoreWait::cancel() {
  std::lock_guard lock(semaphore_.mutex_);
  if (semaphore_.waiters_.remove(*this)) wake();
}

void Semaphore::release() {
  std::lock_guard lock(mutex_);
  if (SemaphoreWait* const next = waiters_.pop_front()) {
    next->owns_ = true;
    next->wake();
  } else {
    ++permits_;
  }
}

}  // namespace quoll::task
