#include "debug/dump_pace.hpp"

#include <algorithm>

namespace quoll::debug {

std::chrono::nanoseconds DumpPace::wait(std::int64_t now_ns) const {
  const std::lock_guard lock(mutex_);
  return std::clamp(std::chrono::nanoseconds(paid_until_ns_ - now_ns), std::chrono::nanoseconds(0), kWaitMax);
}

void DumpPace::spend(std::chrono::nanoseconds duration, std::int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  // A dump that a slow reader has held up for minutes has not cost minutes.
  const std::int64_t price = std::min(duration, kWaitMax).count() * kShare;
  const std::int64_t since = std::max(paid_until_ns_, now_ns - kBurst.count() * kShare);
  paid_until_ns_ = std::min(since + price, now_ns + kWaitMax.count());
}

}  // namespace quoll::debug
