#include "task/clock.hpp"

#include <ctime>
#include <limits>

namespace quoll::task {
namespace {

std::int64_t read_clock(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

class SystemClock final : public Clock {
 public:
  std::int64_t now_ns() const override { return precise_now_ns(); }
  bool real() const override { return true; }
};

}  // namespace

std::int64_t coarse_now_ns() { return read_clock(CLOCK_MONOTONIC_COARSE); }
std::int64_t precise_now_ns() { return read_clock(CLOCK_MONOTONIC); }

std::int64_t deadline_after(std::int64_t now_ns, std::chrono::nanoseconds delay) {
  std::int64_t deadline_ns = 0;
  if (!__builtin_add_overflow(now_ns, delay.count(), &deadline_ns)) return deadline_ns;
  return delay.count() > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

Clock& Clock::system() {
  static SystemClock clock;
  return clock;
}

}  // namespace quoll::task
