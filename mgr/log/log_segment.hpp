// The files of one container's log, as a chain that a reader can walk while the files are rotated.
//
// The monitor writes `log`. A rotation renames log.1 to log.2, `log` to log.1, drops the oldest, and has the monitor
// open a new `log`. A segment is an open file, not a name, and knows the one after it; so whoever holds a segment
// reaches every later one, though all their names may be gone by then.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "mgr/log/log_record.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

// One file of the log.
//
// Lifetime: shared; it keeps every later segment alive, and their descriptors open. A reader that stands still while
// the
//           log is rotated therefore costs one descriptor a rotation, which is the price of losing no line.
// Thread:   safe.
class LogSegment {
 public:
  // A segment without a file is empty; it stands at the head of a log that nobody has written yet.
  LogSegment(std::uint64_t generation, UniqueFd file) : generation_(generation), file_(std::move(file)) {}
  LogSegment(const LogSegment&) = delete;
  LogSegment& operator=(const LogSegment&) = delete;
  ~LogSegment();

  // Grows along the chain, by one for each segment.
  std::uint64_t generation() const { return generation_; }

  // Bytes in the file now.
  std::uint64_t size() const;

  // Fills `buffer` from `offset`; gives fewer bytes only at the end of the file.
  std::size_t read_at(std::uint64_t offset, std::span<char> buffer) const;

  // The segment after this one; null while this one is the last. Once there is one, nothing is appended here any more:
  // the monitor closes its file before the next one gets its name. Look here first and read after, not the reverse.
  std::shared_ptr<LogSegment> next() const { return final_.load(std::memory_order_acquire) ? next_ : nullptr; }

 private:
  friend class LogFiles;

  bool is_file(dev_t device, ino_t inode) const;
  void set_next(std::shared_ptr<LogSegment> next);  // once

  const std::uint64_t generation_;
  const UniqueFd file_;
  std::shared_ptr<LogSegment> next_;  // constant once final_ is set
  std::atomic<bool> final_ = false;
};

// A place in the log.
struct LogPosition {
  std::shared_ptr<LogSegment> segment;  // required
  std::uint64_t offset = 0;             // of the start of a record
  // Lines begun before this place, as the encoder left them that was fed up to here. Carried along, not compared.
  PartialLines partial = {};

  // REQUIRES: both are of the same log.
  std::strong_ordering operator<=>(const LogPosition& other) const {
    const auto order = segment->generation() <=> other.segment->generation();
    return order != 0 ? order : offset <=> other.offset;
  }
  bool operator==(const LogPosition& other) const { return (*this <=> other) == 0; }
};

// The log of one container: opens what is there, rotates, and notices new files.
//
// A daemon that is killed between any two steps of a rotation finds a right chain at its next start: the order of files
// is that of their numbers, gaps are no harm, and a missing `log` means that the monitor still writes to the newest
// file.
//
// Thread: safe; a mutex is held for a few renames at most, never during `reopen`.
// Errors: what the file system refuses is thrown; the chain then still matches the files.
class LogFiles {
 public:
  // Opens `directory`/`name` and the rotated `name`.1, `name`.2 … The directory must be there, the files need not.
  explicit LogFiles(std::string directory, std::string name = "log");

  // Kept files, oldest first; never empty.
  std::vector<std::shared_ptr<LogSegment>> segments() const;
  std::shared_ptr<LogSegment> oldest() const;
  std::shared_ptr<LogSegment> current() const;
  LogPosition begin() const { return {oldest(), 0, {}}; }

  enum class Rotation {
    kRotated,
    kAwaitingFile,  // nothing done: the new file that an earlier rotation asked for is not there yet
  };

  // Renames the files so that at most `max_files` are kept, the new one included, then calls `reopen`, which asks the
  // monitor to open a new `log`. The new file joins the chain at the next adopt_new() that finds it.
  //
  // The monitor replaces whatever has the name `log` when it reopens. So it must not be asked twice for one rotation:
  // a second request would replace a file that already holds records. This is why an awaited file stops a rotation.
  Rotation rotate(unsigned max_files, const std::function<void()>& reopen);

  // True while the newest file has lost its name to a rotation and the next is not there. After a start of the daemon
  // with a living monitor this says that the request must be sent (again), once a short wait has shown that it was
  // lost.
  bool awaiting_file() const;

  // Links a new `log` behind the current segment; false when there is none. Call it when the directory has changed,
  // when a monitor was started, and before a reader is told that this is the end.
  bool adopt_new();

  // Ends a record that a killed monitor left without its newline, so that the next monitor's first record begins a
  // line. False when there was nothing to do. REQUIRES: no monitor is writing.
  bool end_torn_record();

 private:
  struct File {
    std::shared_ptr<LogSegment> segment;
    unsigned number;  // 0: `log`
  };

  std::string path(unsigned number) const;
  void open_existing();
  bool adopt_new_locked();
  void make_room(unsigned rotated_max);
  void move_file(File& file, unsigned number);

  // Constant after construction.
  const std::string directory_;
  const std::string name_;

  mutable std::mutex mutex_;
  std::vector<File> files_;  // guarded by mutex_; oldest first, the last is the current one
  unsigned files_max_ = 0;   // guarded by mutex_; of the last rotation, 0 before it
};

}  // namespace quoll::mgr
