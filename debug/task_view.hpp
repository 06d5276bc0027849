// TaskView: what a walk hands out of one live task: its record and its stack, for the moment of the call.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "debug/place.hpp"
#include "task/record.hpp"

namespace quoll::debug {

// A recursion can be 100,000 frames deep: of a deep stack the innermost are shown and the outermost one, and between
// them a frame called quoll::debug::frames_elided.
inline constexpr std::size_t kFramesMax = 64;

// Lifetime: valid during the call that it is passed to.
// Thread:   the task's worker.
struct TaskView {
  const task::TaskRecord& record;
  std::span<const Place* const> frames;  // innermost first; empty where the task cannot be read
  std::int64_t now_ns;                   // coarse monotonic

  bool waiting() const {
    return record.state != task::TaskState::kRunning && record.state != task::TaskState::kRunnable;
  }
  // For how long it has been in its state; 0 while it runs or is about to.
  std::chrono::nanoseconds waited() const {
    return std::chrono::nanoseconds(waiting() && now_ns > record.since_ns ? now_ns - record.since_ns : 0);
  }
  // The task that holds or serves what it waits for; 0: none that is known.
  std::uint64_t holder_id() const {
    return waiting() && record.wait != nullptr ? record.wait->target().holder_id() : 0;
  }
};

// The places of one stack, innermost first.
class StackReader {
 public:
  // REQUIRES: called on the task's worker.
  std::span<const Place* const> read(const task::TaskRecord& record);

 private:
  std::array<const Place*, kFramesMax + 2> places_;
};

}  // namespace quoll::debug
