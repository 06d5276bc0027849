// One record of a container's log file, as the monitor writes it ("k8s-file"):
//
//   2026-11-23T21:22:44.137589767+00:00 stdout F text\n
//
// F ends a line of its stream; P is a piece of a line that goes on in the next record of the same stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "mgr/log/timestamp.hpp"

namespace quoll::mgr {

// The numbers are those of Docker's frame headers.
enum class LogStream : std::uint8_t { kStdout = 1, kStderr = 2 };

struct LogRecord {
  std::int64_t time_ns = 0;
  LogStream stream = LogStream::kStdout;
  bool partial = false;
  std::string_view text;  // without the newline that ends the record; points into the parsed line
};

// Which streams are in the middle of a line: their last record was a P.
struct PartialLines {
  bool stdout_open = false;
  bool stderr_open = false;

  bool& of(LogStream stream) { return stream == LogStream::kStdout ? stdout_open : stderr_open; }
  bool operator==(const PartialLines&) const = default;
};

// Parses records in place, one after the other; it remembers the second that it met last.
//
// Thread: one parser, one thread at a time.
class LogRecordParser {
 public:
  enum class Outcome {
    kRecord,    // well formed
    kRepaired,  // a record behind the torn remains of another one: a monitor or a host died while it wrote
    kMalformed,
  };

  // `line` is without its newline. `record` is set unless kMalformed.
  Outcome parse(std::string_view line, LogRecord& record) {
    if (parse_fixed(line, record)) return Outcome::kRecord;
    return parse_unusual(line, record);
  }

 private:
  // The timestamp with an offset, " stdout F ", the text.
  static constexpr std::size_t kFixedHeaderBytes = TimestampParser::kFixedBytes + 10;

  bool parse_fixed(std::string_view line, LogRecord& record) {
    if (line.size() < kFixedHeaderBytes) return false;
    const char* tag = line.data() + TimestampParser::kFixedBytes;
    if (tag[0] != ' ' || tag[9] != ' ' || !parse_tag(tag + 1, record)) return false;
    const auto time = times_.parse_fixed(line.data());
    if (!time) return false;
    record.time_ns = *time;
    record.text = line.substr(kFixedHeaderBytes);
    return true;
  }

  static std::uint64_t word(const char* eight_bytes) {
    std::uint64_t value;
    std::memcpy(&value, eight_bytes, sizeof value);
    return value;
  }

  static bool parse_tag(const char* tag, LogRecord& record) {
    const std::uint64_t seen = word(tag);
    if (seen == word("stdout F") || seen == word("stdout P")) {
      record.stream = LogStream::kStdout;
    } else if (seen == word("stderr F") || seen == word("stderr P")) {
      record.stream = LogStream::kStderr;
    } else {
      return false;
    }
    record.partial = tag[7] == 'P';
    return true;
  }

  bool parse_utc(std::string_view line, LogRecord& record);
  Outcome parse_unusual(std::string_view line, LogRecord& record);

  TimestampParser times_;
};

}  // namespace quoll::mgr
