// Turns raw log records into what a Docker client reads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "mgr/log/log_filter.hpp"
#include "mgr/log/log_record.hpp"

namespace quoll::mgr {

// Bytes that grow at the end without being cleared first. Meant to be used again and again.
class LogBytes {
 public:
  std::string_view view() const { return {bytes_.get(), size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() { size_ = 0; }

  // Room for `count` bytes behind the last one; the caller writes there and says with set_end() how far it got.
  char* reserve(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    return bytes_.get() + size_;
  }
  void set_end(const char* end) { size_ = static_cast<std::size_t>(end - bytes_.get()); }

 private:
  void grow(std::size_t count) {
    const std::size_t capacity = std::max(size_ + count, capacity_ + capacity_ / 2);
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ != 0) std::memcpy(bytes.get(), bytes_.get(), size_);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

enum class LogFraming : std::uint8_t {
  kMultiplexed,  // without a terminal: each record is a frame [stream, 0, 0, 0, length as 32 bits big endian]
  kRaw,          // with a terminal: the bytes as they were written
};

// The encoder of one reader, or of all readers that want the same.
//
// A frame holds one record; a record that ends a line ends in a newline. With timestamps, "TIME " stands at the start
// of each line and not before the later pieces of a long one, for clients join the pieces; the first piece that a
// reader gets has one in any case.
//
// Thread: one encoder, one thread at a time.
// Limits: the output of a call is never longer than its input, but for the attributes before each line.
class LogEncoder {
 public:
  // `partial` is the state of another encoder that was fed with all that precedes, when this one takes over.
  LogEncoder(const LogFilter& filter, LogFraming framing, PartialLines partial = {});

  // Appends the records that the filter lets through to `out`. REQUIRES: `records` are whole lines, as LogReader gives
  // them. What is no record is skipped and counted.
  void encode(std::string_view records, LogBytes& out);

  // A record later than filter.until_ns was met: nothing more will be given.
  bool until_passed() const { return until_passed_; }

  PartialLines partial() const { return partial_; }

  // Torn records and garbage among what was fed.
  std::uint64_t malformed() const { return malformed_; }

 private:
  template <bool kFrames, bool kTimestamps>
  void encode_as(std::string_view records, LogBytes& out);

  // Constant after construction.
  const bool stdout_wanted_;
  const bool stderr_wanted_;
  const bool timestamps_;
  const std::string attributes_;
  const LogFraming framing_;
  const std::int64_t since_ns_;
  const std::int64_t until_ns_;

  LogRecordParser parser_;
  TimestampFormatter times_;
  PartialLines partial_;
  bool until_passed_ = false;
  std::uint64_t malformed_ = 0;
};

}  // namespace quoll::mgr
