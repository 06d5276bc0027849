// Where time comes from. Workers ask a Clock, so that a test can advance time itself.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace quoll::task {

// Monotonic nanoseconds. `coarse` is the kernel's tick (1–4 ms), several times cheaper to read: it stamps states.
std::int64_t coarse_now_ns();
std::int64_t precise_now_ns();

// `delay` after `now_ns`, held at the ends of the range: "for ever" does not wrap round into the past.
std::int64_t deadline_after(std::int64_t now_ns, std::chrono::nanoseconds delay);

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_ns() const = 0;
  // Whether timers may be armed in the kernel; false where a test fires them by advancing the clock.
  virtual bool real() const = 0;

  static Clock& system();
};

// A clock that stands still until the test moves it.
// Thread: any.
class ManualClock final : public Clock {
 public:
  std::int64_t now_ns() const override { return now_ns_.load(std::memory_order_acquire); }
  bool real() const override { return false; }
  void set(std::int64_t now_ns) { now_ns_.store(now_ns, std::memory_order_release); }

 private:
  std::atomic<std::int64_t> now_ns_{1'000'000'000};
};

}  // namespace quoll::task
