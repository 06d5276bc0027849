// A mutex of four bytes, for objects that exist in great numbers and are hardly ever contended.
#pragma once

#include <atomic>
#include <cstdint>

namespace quoll::task {

// Use it with std::lock_guard. Thread: any.
class SmallMutex {
 public:
  void lock() {
    std::uint32_t expected = kFree;
    if (state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) return;
    while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
      state_.wait(kContended, std::memory_order_relaxed);
    }
  }
  void unlock() {
    if (state_.exchange(kFree, std::memory_order_release) == kContended) state_.notify_one();
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kContended = 2;  // somebody may sleep
  std::atomic<std::uint32_t> state_{kFree};
};

}  // namespace quoll::task
