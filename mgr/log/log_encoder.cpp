#include "mgr/log/log_encoder.hpp"

#include <cassert>

namespace quoll::mgr {
namespace {

constexpr std::size_t kFrameHeaderBytes = 8;

// The shortest header of a record, "2026-11-23T21:22:44.137589767Z stdout F ", is longer than all that is put before
// its text: this is why the output of a call always fits into the size of its input.
static_assert(kTimestampBytes + 10 >= kFrameHeaderBytes + kTimestampBytes + 1);

char* write_frame_header(char* out, LogStream stream, std::size_t length) {
  const std::uint32_t big_endian = __builtin_bswap32(static_cast<std::uint32_t>(length));
  const std::uint32_t stream_word = static_cast<std::uint8_t>(stream);  // little endian: the byte, then three zeros
  std::memcpy(out, &stream_word, 4);
  std::memcpy(out + 4, &big_endian, 4);
  return out + kFrameHeaderBytes;
}

}  // namespace

LogEncoder::LogEncoder(const LogFilter& filter, LogFraming framing, PartialLines partial)
    : stdout_wanted_(filter.stdout_wanted),
      stderr_wanted_(filter.stderr_wanted),
      timestamps_(filter.timestamps),
      attributes_(filter.attributes),
      framing_(framing),
      since_ns_(filter.since_ns.value_or(std::numeric_limits<std::int64_t>::min())),
      until_ns_(filter.until_ns.value_or(std::numeric_limits<std::int64_t>::max())),
      partial_(partial) {}

void LogEncoder::encode(std::string_view records, LogBytes& out) {
  if (framing_ == LogFraming::kMultiplexed) {
    timestamps_ ? encode_as<true, true>(records, out) : encode_as<true, false>(records, out);
  } else {
    timestamps_ ? encode_as<false, true>(records, out) : encode_as<false, false>(records, out);
  }
}

template <bool kFrames, bool kTimestamps>
void LogEncoder::encode_as(std::string_view records, LogBytes& out) {
  const auto lines = static_cast<std::size_t>(attributes_.empty() ? 0 : std::ranges::count(records, '\n'));
  char* write = out.reserve(records.size() + lines * attributes_.size());
  const char* at = records.data();
  const char* const end = at + records.size();
  while (at != end && !until_passed_) {
    const char* newline = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
    if (!newline) break;
    const std::string_view line(at, static_cast<std::size_t>(newline - at));
    at = newline + 1;

    LogRecord record;
    const auto outcome = parser_.parse(line, record);
    if (outcome != LogRecordParser::Outcome::kRecord) [[unlikely]]
      ++malformed_;
    if (outcome == LogRecordParser::Outcome::kMalformed) [[unlikely]]
      continue;
    if (record.time_ns > until_ns_) [[unlikely]] {
      until_passed_ = true;
      break;
    }
    if (record.time_ns < since_ns_) continue;
    if (!(record.stream == LogStream::kStdout ? stdout_wanted_ : stderr_wanted_)) continue;

    // The newline that ends the record ends the line as well, unless the record is a piece of one.
    const std::size_t text_bytes = record.text.size() + (record.partial ? 0 : 1);
    if (text_bytes == 0) continue;
    bool& line_open = partial_.of(record.stream);
    const bool stamped = kTimestamps && !line_open;
    const std::size_t attribute_bytes = line_open ? 0 : attributes_.size();
    line_open = record.partial;
    if constexpr (kFrames) {
      write =
          write_frame_header(write, record.stream, text_bytes + attribute_bytes + (stamped ? kTimestampBytes + 1 : 0));
    }
    if (stamped) {
      times_.format(record.time_ns, write);
      write[kTimestampBytes] = ' ';
      write += kTimestampBytes + 1;
    }
    if (attribute_bytes != 0) [[unlikely]] {
      std::memcpy(write, attributes_.data(), attribute_bytes);
      write += attribute_bytes;
    }
    std::memcpy(write, record.text.data(), text_bytes);
    write += text_bytes;
  }
  out.set_end(write);
}

}  // namespace quoll::mgr
