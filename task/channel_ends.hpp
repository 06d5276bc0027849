// The live ends of one side of a channel, so that a dump can tell who might still end a wait on the other side.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "task/record.hpp"

namespace quoll::task {

// What a Sender or Receiver is in its channel's list. It knows where it lies and which task made it, or used it last.
class ChannelEnd {
 public:
  // The running task has made this end, or uses it. Any thread.
  void note_maker() const { user_.store(running_task_id() << 1, std::memory_order_relaxed); }
  void note_user() const {
    const std::uint64_t user = running_task_id() << 1 | kUsed;
    if (user_.load(std::memory_order_relaxed) != user) user_.store(user, std::memory_order_relaxed);
  }

 private:
  friend class ChannelEnds;
  static constexpr std::uint64_t kUsed = 1;     // where it lies now
  ChannelEnd* previous_ = nullptr;              // guarded by the channel's mutex
  ChannelEnd* next_ = nullptr;                  // guarded by the channel's mutex
  mutable std::atomic<std::uint64_t> user_{0};  // a task's id, and below it kUsed
};

// Thread: the channel's mutex is held.
class ChannelEnds {
 public:
  std::size_t size() const { return size_; }

  void add(ChannelEnd& end) {
    end.previous_ = nullptr;
    end.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &end;
    first_ = &end;
    ++size_;
  }
  void remove(ChannelEnd& end) {
    (end.previous_ != nullptr ? end.previous_->next_ : first_) = end.next_;
    if (end.next_ != nullptr) end.next_->previous_ = end.previous_;
    --size_;
  }
  // `to` takes the place of `from`, which has been moved from.
  void move(ChannelEnd& from, ChannelEnd& to) {
    to.user_.store(from.user_.load(std::memory_order_relaxed) & ~ChannelEnd::kUsed, std::memory_order_relaxed);
    remove(from);
    add(to);
  }
  // For a wait of `waiter`. A task that has made an end for somebody else (a hub that tells it) does not wait for
  // itself, so its own id is not given.
  void list(WaitTarget& target, std::uint64_t waiter) const {
    for (const ChannelEnd* end = first_; end != nullptr && target.listed < WaitTarget::kHoldersMax; end = end->next_) {
      const std::uint64_t user = end->user_.load(std::memory_order_relaxed);
      const std::uint64_t id = user >> 1;
      target.add({id != waiter ? id : 0, end, (user & ChannelEnd::kUsed) != 0});
    }
    target.any = true;
    target.count = static_cast<std::uint32_t>(size_);
  }

 private:
  ChannelEnd* first_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace quoll::task
