// The log of one container, shared by all that read it: the files, the encoded chunks that followers have in common,
// and the word to those who wait that there is more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mgr/log/log_encoder.hpp"
#include "mgr/log/log_filter.hpp"
#include "mgr/log/log_reader.hpp"
#include "mgr/log/log_segment.hpp"
#include "task/channel.hpp"

namespace quoll::mgr {

// A stretch of the log as one kind of reader gets it.
struct LogChunk {
  LogPosition begin;
  LogPosition end;
  LogBytes bytes;  // may be empty: all records of the stretch were filtered out
  bool until_passed = false;
};

// What makes two readers get the same bytes from the same place.
struct LogVariant {
  LogFilter filter;  // without its tail
  LogFraming framing = LogFraming::kMultiplexed;

  bool operator==(const LogVariant&) const = default;
};

struct LogLimits {
  std::int64_t max_size = -1;  // bytes of a file before it is rotated; -1: never
  unsigned max_files = 1;
};

// Followers pull: each has a position and asks for the chunk that begins there. Chunks end on a common grid, so that
// followers which began in different places soon ask for the same ones; the newest are kept, encoded once for all.
// Whoever is slower than that reads the file by itself. Nobody waits for anybody, and no line is lost or doubled, since
// only the follower moves its position.
//
// Lifetime: shared by the container and its followers.
// Thread:   any.
// Limits:   kCacheBytes of chunks for a container while it has followers.
class LogHub {
 public:
  struct Growth {};
  static constexpr std::size_t kGridBytes = 128 * 1024;
  static constexpr std::size_t kCacheBytes = 4 * 1024 * 1024;

  // `reopen` asks the container's monitor to open a new log file; called on rotation.
  LogHub(std::string directory, LogLimits limits, std::function<void()> reopen);

  LogFiles& files() { return files_; }
  const std::string& directory() const { return directory_; }
  bool rotates() const { return limits_.max_size >= 0; }

  // The chunk at `position` from the cache, or null.
  std::shared_ptr<const LogChunk> cached(const LogPosition& position, const LogVariant& variant) const;
  // Reads and encodes the chunk at `position`; null where there is no whole record. `align`: end on the grid.
  // Blocks on the disk. Errors: what the disk refuses.
  std::shared_ptr<const LogChunk> read(const LogPosition& position, const LogVariant& variant, bool align) const;
  // Offers a chunk for others to use.
  void share(std::shared_ptr<const LogChunk> chunk, const LogVariant& variant);

  // Registers a follower, which is told of growth through the channel until it is forgotten.
  void add_follower(task::Sender<Growth> follower, std::uint64_t key);
  void remove_follower(std::uint64_t key);
  std::uint64_t next_key();

  // The watcher saw the directory change: takes up new files, rotates where one is full, tells the followers.
  void on_change();

  // A monitor writes (or will soon).
  void set_live();
  // The monitor is gone and all it wrote is in the files: followers end behind the last line.
  void set_ended();
  bool ended() const;
  // The container is removed: followers end now, as at the log's end.
  void close();
  // The daemon stops: followers end now, with an error, for the log goes on.
  void release();
  bool released() const;

 private:
  void tell_followers();
  void rotate_if_full();

  // Constant after construction.
  const std::string directory_;
  const LogLimits limits_;
  const std::function<void()> reopen_;

  LogFiles files_;  // own synchronisation

  mutable std::mutex mutex_;
  struct Cached {
    LogVariant variant;
    std::shared_ptr<const LogChunk> chunk;
  };
  struct Follower {
    std::uint64_t key;
    task::Sender<Growth> sender;
  };
  std::deque<Cached> cache_;         // guarded by mutex_; oldest first
  std::size_t cache_bytes_ = 0;      // guarded by mutex_
  std::vector<Follower> followers_;  // guarded by mutex_
  std::uint64_t next_key_ = 1;       // guarded by mutex_
  bool ended_ = true;                // guarded by mutex_
  bool closed_ = false;              // guarded by mutex_
  bool released_ = false;            // guarded by mutex_
};

}  // namespace quoll::mgr
