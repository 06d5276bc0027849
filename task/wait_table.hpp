// WaitTable: for how long tasks have waited, by the stack that they waited in. Each worker has one; it is always on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <source_location>
#include <span>
#include <vector>

#include "task/record.hpp"
#include "task/small_mutex.hpp"

namespace quoll::task {

inline constexpr std::size_t kWaitFramesMax = 16;

struct WaitStack {
  std::array<std::source_location, kWaitFramesMax> places;  // innermost first; none: more stacks than there is room for
  std::uint8_t depth = 0;
  TaskState state = TaskState::kIdle;
  std::int64_t count = 0;
  std::int64_t nanoseconds = 0;

  std::span<const std::source_location> stack() const { return {places.data(), depth}; }
};

// What is added is what the coarse clock (1 to 4 ms a tick) shows: a wait within one tick is not seen, and a wait that
// crosses a tick counts as one. So the sum of the times is right on the average, the short ones are sampled by their
// length, and a resumption costs one comparison. Innermost kWaitFramesMax frames.
//
// Limits: kStacksMax stacks; what comes behind them is summed up in one without frames.
// Thread: any.
class WaitTable {
 public:
  static constexpr std::size_t kStacksMax = 1024;

  void add(TaskState state, const Frame* innermost, std::int64_t nanoseconds) noexcept;
  std::vector<WaitStack> copy() const;
  std::size_t size() const;

 private:
  struct Key {
    std::array<std::source_location, kWaitFramesMax> places;
    std::size_t depth = 0;
    std::uint64_t hash = 0;
    TaskState state = TaskState::kIdle;
  };
  static Key key_of(TaskState state, const Frame* innermost);
  WaitStack& find(const Key& key);
  void grow_index();

  mutable SmallMutex mutex_;           // guards all below
  std::vector<WaitStack> stacks_;      // the first is the one without frames
  std::vector<std::uint64_t> hashes_;  // of stacks_
  std::vector<std::uint32_t> index_;   // open addressing by hash: 0, or a place in stacks_
};

}  // namespace quoll::task
