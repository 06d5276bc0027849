// Waiting for time: sleep_for, sleep_until, and yield.
#pragma once

#include <chrono>

#include "task/record.hpp"
#include "task/timer_queue.hpp"

namespace quoll::task {

class SleepWait final : public Wait, private TimerNode {
 public:
  explicit SleepWait(std::int64_t deadline_ns, bool relative)
      : Wait(TaskState::kSleep), deadline_ns_(deadline_ns), relative_(relative) {}
  ~SleepWait() override = default;
  bool await_ready() const noexcept { return token_cancelled(); }
  void await_suspend(std::coroutine_handle<> self);
  void await_resume() {
    if (!fired_) throw_cancelled();
  }
  void cancel() override;

 private:
  void fire() override;

  const std::int64_t deadline_ns_;
  const bool relative_;
  bool fired_ = false;
};

inline SleepWait sleep_for(std::chrono::nanoseconds duration) { return SleepWait(duration.count(), true); }
// `deadline_ns`: of the worker's clock.
inline SleepWait sleep_until_ns(std::int64_t deadline_ns) { return SleepWait(deadline_ns, false); }

// Lets the worker's other tasks go first, and after some turns its I/O.
class YieldWait final : public Wait {
 public:
  YieldWait() : Wait(TaskState::kRunnable) {}
  bool await_ready() const noexcept { return token_cancelled(); }
  void await_suspend(std::coroutine_handle<> self) {
    suspend(self);
    wake();
  }
  void await_resume() { throw_if_cancelled(); }
  void cancel() override {}
};

inline YieldWait yield() { return YieldWait(); }

}  // namespace quoll::task
