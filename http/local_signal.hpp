// LocalSignal: wakes the one task that waits for a condition between tasks of one worker, without a lock.
#pragma once

#include <chrono>

#include "task/record.hpp"
#include "task/timer_queue.hpp"

namespace quoll::http {

class LocalSignalWait;

// An edge, not a state: who waits checks its condition first, and again after.
// Thread: one worker's. Lifetime: outlives its waiter.
class LocalSignal {
 public:
  void notify();
  // co_await wait(): true where notified, false where `timeout` passed first (zero: never).
  LocalSignalWait wait(task::TaskState state, std::chrono::nanoseconds timeout = {});

 private:
  friend class LocalSignalWait;
  LocalSignalWait* waiter_ = nullptr;
};

class LocalSignalWait final : public task::Wait, private task::TimerNode {
 public:
  LocalSignalWait(LocalSignal& signal, task::TaskState state, std::chrono::nanoseconds timeout)
      : Wait(state), signal_(signal), timeout_(timeout) {}
  bool await_ready() const noexcept { return token_cancelled(); }
  void await_suspend(std::coroutine_handle<> self);
  bool await_resume() {
    if (outcome_ == Outcome::kCancelled) throw_cancelled();
    return outcome_ == Outcome::kNotified;
  }
  void cancel() override { end(Outcome::kCancelled); }
  task::WaitTarget target() const override { return {&signal_, 0}; }

 private:
  friend class LocalSignal;
  enum class Outcome : std::uint8_t { kCancelled, kNotified, kTimeout };
  void fire() override { end(Outcome::kTimeout); }
  void end(Outcome outcome);

  LocalSignal& signal_;
  const std::chrono::nanoseconds timeout_;
  Outcome outcome_ = Outcome::kCancelled;
};

inline LocalSignalWait LocalSignal::wait(task::TaskState state, std::chrono::nanoseconds timeout) {
  return LocalSignalWait(*this, state, timeout);
}

}  // namespace quoll::http
