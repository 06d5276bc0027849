#include "mgr/log/log_seek.hpp"

#include <string.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <string_view>
#include <utility>

#include "mgr/log/log_record.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr std::size_t kBlockBytesMax = 1024 * 1024;  // a longer line is garbage and is met in parts
constexpr std::size_t kProbeBytes = 16 * 1024;       // holds two records of any size
constexpr std::uint64_t kSearchStopBytes = 64 * 1024;

class Block {
 public:
  // The bytes [begin, end) of a segment, fewer when the file is shorter.
  std::string_view load(const LogSegment& segment, std::uint64_t begin, std::uint64_t end) {
    const auto wanted = static_cast<std::size_t>(end - begin);
    if (wanted > capacity_) {
      bytes_ = std::make_unique_for_overwrite<char[]>(wanted);
      capacity_ = wanted;
    }
    return {bytes_.get(), segment.read_at(begin, {bytes_.get(), wanted})};
  }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
};

// Walks the whole lines of one segment from the last to the first.
class BackwardLines {
 public:
  BackwardLines(const LogSegment& segment, Block& block) : segment_(segment), block_(block) { find_end(); }

  // False at the start of the segment.
  bool next() {
    if (end_ == 0) return false;
    line_end_ = end_;
    for (std::size_t size = kBlockBytes;; size *= 2) {
      const std::string_view before = loaded_.substr(0, static_cast<std::size_t>(end_ - begin_) - (end_ > begin_));
      if (const void* newline = ::memrchr(before.data(), '\n', before.size())) {
        return take_line(static_cast<std::size_t>(static_cast<const char*>(newline) - before.data()) + 1);
      }
      if (end_ > begin_ && (begin_ == 0 || size > kBlockBytesMax)) return take_line(0);
      begin_ = end_ - std::min<std::uint64_t>(size, end_);
      loaded_ = block_.load(segment_, begin_, end_);
      if (loaded_.size() < end_ - begin_) return false;  // somebody cut the file: nothing here can be trusted
    }
  }

  std::string_view line() const { return line_; }
  // Behind the newline of line().
  std::uint64_t line_end() const { return line_end_; }
  // Before the first next(): behind the last whole line.
  std::uint64_t end() const { return end_; }

 private:
  // Sets end_ behind the last newline: what follows it is a record that is still being written.
  void find_end() {
    for (end_ = segment_.size(); end_ > 0; end_ = begin_) {
      begin_ = end_ - std::min<std::uint64_t>(kBlockBytes, end_);
      loaded_ = block_.load(segment_, begin_, end_);
      if (const void* newline = ::memrchr(loaded_.data(), '\n', loaded_.size())) {
        end_ = begin_ + static_cast<std::uint64_t>(static_cast<const char*>(newline) - loaded_.data()) + 1;
        return;
      }
    }
    begin_ = 0;
  }

  bool take_line(std::size_t at) {
    const auto last = static_cast<std::size_t>(end_ - begin_);
    line_ = loaded_.substr(at, last - at);
    if (line_.ends_with('\n')) line_.remove_suffix(1);
    end_ = begin_ + at;
    return true;
  }

  const LogSegment& segment_;
  Block& block_;
  std::string_view loaded_ = "";  // from begin_ on, at least up to end_
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;  // of what is not given yet
  std::string_view line_;
  std::uint64_t line_end_ = 0;
};

struct TimedPlace {
  std::uint64_t offset;
  std::int64_t time_ns;
};

// The first record that starts in [from, until), where `from` may be in the middle of a line.
std::optional<TimedPlace> first_record(const LogSegment& segment, std::uint64_t from, std::uint64_t until,
                                       LogRecordParser& parser, Block& block) {
  bool at_line_start = from == 0;
  while (from < until) {
    const std::string_view bytes = block.load(segment, from, from + kProbeBytes);
    std::size_t at = 0;
    for (;;) {
      const std::size_t newline = bytes.find('\n', at);
      if (newline == std::string_view::npos || from + at >= until) break;
      LogRecord record;
      if (at_line_start &&
          parser.parse(bytes.substr(at, newline - at), record) != LogRecordParser::Outcome::kMalformed) {
        return TimedPlace{from + at, record.time_ns};
      }
      at_line_start = true;
      at = newline + 1;
    }
    if (bytes.size() < kProbeBytes) return std::nullopt;
    // A line that fills a whole block is garbage: go on behind it, in the middle of a line again.
    if (at == 0) at_line_start = false;
    from += at == 0 ? bytes.size() : at;
  }
  return std::nullopt;
}

// The offset of a record before `target_ns` with all that matters behind it. REQUIRES: the first record is before it.
std::uint64_t search_segment(const LogSegment& segment, std::int64_t target_ns, LogRecordParser& parser, Block& block) {
  std::uint64_t low = 0;  // always the start of a line
  std::uint64_t high = segment.size();
  while (high - low > kSearchStopBytes) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto place = first_record(segment, middle, high, parser, block);
    if (place && place->time_ns < target_ns) {
      low = place->offset;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

LogPosition position_for_end(const LogFiles& files) {
  const std::shared_ptr<LogSegment> current = files.current();
  Block block;
  return {current, BackwardLines(*current, block).end(), {}};
}

LogPosition position_for_tail(const LogFiles& files, std::uint64_t lines, const LogFilter& filter) {
  if (lines == 0 || (!filter.stdout_wanted && !filter.stderr_wanted)) return position_for_end(files);
  const auto segments = files.segments();
  LogRecordParser parser;
  Block block;
  PartialLines seen;  // a stream's last record ends a line, be it F or P
  std::uint64_t count = 0;
  for (const auto& segment : std::views::reverse(segments)) {
    for (BackwardLines backward(*segment, block); backward.next();) {
      LogRecord record;
      if (parser.parse(backward.line(), record) == LogRecordParser::Outcome::kMalformed) continue;
      if (!filter.wants(record.stream)) continue;
      const bool ends_line = !record.partial || !seen.of(record.stream);
      seen.of(record.stream) = true;
      if (ends_line && count++ == lines) return {segment, backward.line_end(), {}};
    }
  }
  return {segments.front(), 0, {}};
}

LogPosition position_for_since(const LogFiles& files, std::int64_t since_ns) {
  const auto segments = files.segments();
  const std::int64_t target_ns =
      std::max(since_ns, std::numeric_limits<std::int64_t>::min() + kLogClockJitterNs) - kLogClockJitterNs;
  LogRecordParser parser;
  Block block;
  for (const auto& segment : std::views::reverse(segments)) {
    const auto first = first_record(*segment, 0, std::numeric_limits<std::uint64_t>::max(), parser, block);
    if (first && first->time_ns < target_ns) return {segment, search_segment(*segment, target_ns, parser, block), {}};
  }
  return {segments.front(), 0, {}};
}

LogPosition position_for_filter(const LogFiles& files, const LogFilter& filter) {
  std::optional<LogPosition> start;
  if (filter.tail) start = position_for_tail(files, *filter.tail, filter);
  if (filter.since_ns) {
    LogPosition since = position_for_since(files, *filter.since_ns);
    if (!start || *start < since) start = std::move(since);
  }
  return start ? *start : files.begin();
}

}  // namespace quoll::mgr
