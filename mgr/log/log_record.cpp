#include "mgr/log/log_record.hpp"

namespace quoll::mgr {

// As parse_fixed, with "Z" for the offset.
bool LogRecordParser::parse_utc(std::string_view line, LogRecord& record) {
  if (line.size() < kTimestampBytes + 10 || line[19] != '.' || line[29] != 'Z') return false;
  const char* tag = line.data() + kTimestampBytes;
  if (tag[0] != ' ' || tag[9] != ' ' || !parse_tag(tag + 1, record)) return false;
  const auto time = parse_rfc3339(line.substr(0, kTimestampBytes));
  if (!time) return false;
  record.time_ns = *time;
  record.text = line.substr(kTimestampBytes + 10);
  return true;
}

// After a torn record the next monitor appends to the same line, and after a power failure the file may hold a run of
// zero bytes: what follows them is a whole record, found by its header. Only the first header counts, and only in a
// line that is no record itself, so a text that looks like a record is never taken for one.
LogRecordParser::Outcome LogRecordParser::parse_unusual(std::string_view line, LogRecord& record) {
  if (parse_utc(line, record)) return Outcome::kRecord;
  for (std::size_t at = line.find(" std"); at != std::string_view::npos; at = line.find(" std", at + 1)) {
    if (at > TimestampParser::kFixedBytes && parse_fixed(line.substr(at - TimestampParser::kFixedBytes), record)) {
      return Outcome::kRepaired;
    }
  }
  return Outcome::kMalformed;
}

}  // namespace quoll::mgr
