#include "task/mutex.hpp"

#include "task/worker.hpp"

namespace quoll::task {
namespace {

// What a waiter has lost goes to the account of who gives back what it waited for, as in Go's mutex profile.
void note_contention(TaskState state, const TaskRecord& waiter) {
  Worker* const worker = Worker::current();
  if (!kTracked || worker == nullptr) return;
  const std::int64_t waited_ns = coarse_now_ns() - waiter.since_ns;
  const TaskRecord* const holder = Worker::current_task();
  if (waited_ns > 0) worker->contentions().add(state, holder != nullptr ? holder->leaf : nullptr, waited_ns);
}

}  // namespace

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
  note_contention(TaskState::kMutexLock, *next->task_);
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
    note_contention(TaskState::kSemAcquire, *next->task_);
    next->owns_ = true;
    next->wake();
  } else {
    ++permits_;
  }
}

}  // namespace quoll::task
