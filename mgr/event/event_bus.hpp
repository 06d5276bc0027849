// The events of this daemon: the newest ones kept, and all of them given to whoever follows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "mgr/event/event.hpp"
#include "task/channel.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

class EventBus;

// What a follower asks for. All fields are optional.
struct EventQuery {
  std::optional<std::int64_t> since_ns;      // begin in the history, with events of this very time
  std::optional<std::int64_t> until_ns;      // end behind this time; without `since_ns` it begins in the history too
  std::function<bool(const Event&)> wanted;  // none: all
};

// One reader of the events. It has a position in the bus's history and pulls from there, so it holds nothing while its
// client is slow, and slows nobody.
//
// Lifetime: a local of the request's handler; the bus outlives it.
// Thread:   one task.
// Cancel:   next() throws; the position stays behind the last event that was given.
// Errors:   next() throws kResourceExhausted where the history has left a slow follower behind, rather than leave
//           something out in silence; kUnavailable when the daemon stops.
class EventFollower {
 public:
  EventFollower(EventBus& bus, EventQuery query);
  ~EventFollower();
  EventFollower(const EventFollower&) = delete;
  EventFollower& operator=(const EventFollower&) = delete;

  // The next event that is wanted; null at `until`.
  task::Task<std::shared_ptr<const Event>> next();

 private:
  // Returns when there is more, when `until` has come, or when the bus is released.
  task::Task<void> wait_for_more();

  // Constant after construction.
  EventBus& bus_;
  const EventQuery query_;
  task::Receiver<char> growth_;

  std::uint64_t key_ = 0;
  std::uint64_t position_ = 0;
  bool until_passed_ = false;
};

// Lifetime: outlives all followers and publishers.
// Thread:   any.
// Limits:   the history is kHistoryMax events and about kHistoryBytes, whichever is less; it is the only memory that
//           events take, whatever their readers do.
class EventBus {
 public:
  static constexpr std::size_t kHistoryMax = 1024;
  static constexpr std::size_t kHistoryBytes = 2 * 1024 * 1024;

  // Gives the event its time and its place behind all others. Never waits.
  void publish(Event event);
  // The daemon stops: followers end now.
  void release();
  std::size_t follower_count() const;

 private:
  friend class EventFollower;

  struct Follower {
    std::uint64_t key;
    task::Sender<char> sender;
  };
  // Where a new follower begins.
  std::uint64_t add_follower(task::Sender<char> sender, std::uint64_t key, bool from_history);
  void remove_follower(std::uint64_t key);
  // The event at `position`; null where there is none yet. Errors: as EventFollower.
  std::shared_ptr<const Event> at(std::uint64_t position) const;

  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const Event>> history_;  // guarded by mutex_, as all below; oldest first
  std::size_t history_bytes_ = 0;
  std::uint64_t first_ = 0;  // the position of history_.front()
  std::vector<Follower> followers_;
  std::uint64_t next_key_ = 1;
  bool released_ = false;
};

}  // namespace quoll::mgr
