// SampleRing: carries samples from signal handlers to the one who collects them, without a lock.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "debug/stack_sample.hpp"

namespace quoll::debug {

struct ThreadSample {
  enum State : std::uint8_t { kFree, kClaimed, kReady };
  std::atomic<std::uint8_t> state{kFree};
  pid_t thread_id = 0;
  StackSample stack;
};

// Thread: claim() and publish() from any number of handlers, drain() from one thread at a time.
class SampleRing {
 public:
  explicit SampleRing(std::size_t size) : size_(size), slots_(new ThreadSample[size]) {}

  // Null, and counted as lost, where what came `size` samples before has not been collected yet.
  ThreadSample* claim() noexcept {
    ThreadSample& slot = slots_[next_.fetch_add(1, std::memory_order_relaxed) % size_];
    std::uint8_t expected = ThreadSample::kFree;
    if (slot.state.compare_exchange_strong(expected, ThreadSample::kClaimed, std::memory_order_acquire)) return &slot;
    lost_.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  void publish(ThreadSample& sample) noexcept { sample.state.store(ThreadSample::kReady, std::memory_order_release); }

  template <typename F>
  void drain(F take) {
    for (std::size_t i = 0; i < size_; ++i) {
      ThreadSample& slot = slots_[i];
      if (slot.state.load(std::memory_order_acquire) != ThreadSample::kReady) continue;
      take(static_cast<const ThreadSample&>(slot));
      slot.state.store(ThreadSample::kFree, std::memory_order_release);
    }
  }

  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  const std::size_t size_;
  const std::unique_ptr<ThreadSample[]> slots_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint64_t> lost_{0};
};

}  // namespace quoll::debug
