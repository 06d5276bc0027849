// Reads the raw records of a container's log forwards, across rotations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "mgr/log/log_segment.hpp"

namespace quoll::mgr {

// The amount to read at once that costs least for each byte, and the least that holds any record: the monitor cuts
// lines into pieces of 8 KiB.
inline constexpr std::size_t kLogReadBytes = 256 * 1024;
inline constexpr std::size_t kLogReadBytesMin = 64 * 1024;

// A cursor. It gives whole records only: the last one of the file, while its newline is missing, stays for a later
// read.
//
// Lifetime: holds its segment, so it outlives LogFiles and the files' names.
// Thread:   one reader, one thread at a time; a read may block on the disk.
// Errors:   what the disk refuses is thrown; the position is then unchanged.
class LogReader {
 public:
  explicit LogReader(LogPosition start) : position_(std::move(start)) {}

  // The next records, as many as `buffer` holds, from one segment; they point into `buffer`. Empty when there is no
  // whole record between the position and the end (or `limit`, where one is given). At an end without a limit, ask
  // again after a write, and after LogFiles::adopt_new(). The position may have moved all the same: into the next
  // segment, or behind kLogReadBytesMin bytes and more without a newline, which are no record and are skipped.
  //
  // REQUIRES: buffer.size() >= kLogReadBytesMin.
  std::string_view read(std::span<char> buffer, const LogPosition* limit = nullptr);

  // Behind the records that the last read() gave.
  const LogPosition& position() const { return position_; }

  // Lets the caller note the state of its encoder in the position.
  void set_partial(PartialLines partial) { position_.partial = partial; }

  // Bytes that were no part of a record: torn ends of final segments, lines beyond all bounds.
  std::uint64_t skipped_bytes() const { return skipped_bytes_; }

 private:
  LogPosition position_;
  std::uint64_t skipped_bytes_ = 0;
};

}  // namespace quoll::mgr
