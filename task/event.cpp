#include "task/event.hpp"

namespace quoll::task {

void Event::set() {
  std::lock_guard lock(mutex_);
  set_ = true;
  while (EventWait* const waiter = waiters_.pop_front()) {
    waiter->signalled_ = true;
    waiter->wake();
  }
}

void Event::reset() {
  std::lock_guard lock(mutex_);
  set_ = false;
}

bool Event::is_set() const {
  std::lock_guard lock(mutex_);
  return set_;
}

bool EventWait::await_suspend(std::coroutine_handle<> self) {
  std::lock_guard lock(event_.mutex_);
  if (event_.set_) {
    signalled_ = true;
    return false;
  }
  suspended_ = true;
  suspend(self);
  event_.waiters_.push_back(*this);
  return true;
}

void EventWait::await_resume() {
  if (!signalled_) throw_cancelled();
  // Waits for set() to have left the event, which the waiter may destroy next.
  if (suspended_) std::lock_guard lock(event_.mutex_);
}

void EventWait::cancel() {
  std::lock_guard lock(event_.mutex_);
  if (event_.waiters_.remove(*this)) wake();
}

}  // namespace quoll::task
