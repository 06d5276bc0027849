// Timers of one worker: a binary heap of nodes that live in the frames of those who wait, so arming one allocates
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quoll::task {

// Thread: the worker's.
class TimerNode {
 public:
  TimerNode() = default;
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;
  bool armed() const { return index_ != kUnarmed; }
  std::int64_t deadline_ns() const { return deadline_ns_; }

 protected:
  ~TimerNode() = default;

 private:
  friend class TimerQueue;
  virtual void fire() = 0;

  static constexpr std::size_t kUnarmed = static_cast<std::size_t>(-1);
  std::int64_t deadline_ns_ = 0;
  std::size_t index_ = kUnarmed;
};

// Thread: the worker's.
class TimerQueue {
 public:
  void arm(TimerNode& node, std::int64_t deadline_ns);
  void disarm(TimerNode& node);  // of no effect on a node that is not armed
  bool empty() const { return heap_.empty(); }
  std::int64_t next_deadline_ns() const { return heap_.front()->deadline_ns_; }
  // Fires all that are due; a node is disarmed before its fire().
  void fire_due(std::int64_t now_ns);

 private:
  void place(TimerNode* node, std::size_t index);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);

  std::vector<TimerNode*> heap_;
};

}  // namespace quoll::task
