// The time of day, as records and answers have it.
#pragma once

#include <chrono>
#include <cstdint>

namespace quoll::mgr {

// Nanoseconds since 1970. Thread: any.
inline std::int64_t wall_now_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace quoll::mgr
