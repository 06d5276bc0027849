// One reader of a container's log: from where its filter begins to the end, or on and on while the container runs.
#pragma once

#include <memory>
#include <optional>

#include "mgr/log/log_hub.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

class LogWatcher;

// Lifetime: a local of the request's handler. Holds no buffer and no descriptor of its own while it waits.
// Thread:   one task.
// Cancel:   next() throws; the position stays behind the last chunk that was given.
// Errors:   next() throws what the disk refuses, and kUnavailable when the daemon stops.
class LogFollower {
 public:
  LogFollower(std::shared_ptr<LogHub> hub, LogWatcher& watcher, LogFilter filter, LogFraming framing, bool follow);
  ~LogFollower();
  LogFollower(const LogFollower&) = delete;
  LogFollower& operator=(const LogFollower&) = delete;

  // The next bytes for the client, never empty; null at the end: behind the last line of a container that has ended, at
  // `until`, or when the container is removed.
  task::Task<std::shared_ptr<const LogChunk>> next();

 private:
  task::Task<std::shared_ptr<const LogChunk>> chunk_at_position();
  task::Task<void> seek();
  // False where no more will come.
  task::Task<bool> wait_for_growth();

  // Constant after construction.
  const std::shared_ptr<LogHub> hub_;
  LogWatcher& watcher_;
  const std::optional<std::uint64_t> tail_;
  const LogVariant variant_;
  const bool follow_;
  const std::uint64_t key_;

  task::Receiver<LogHub::Growth> growth_;  // only with follow_
  std::optional<LogPosition> position_;    // unset before the first next()
  bool at_tip_ = false;                    // the last look found the end: what comes next is in memory still
  bool until_passed_ = false;
};

}  // namespace quoll::mgr
