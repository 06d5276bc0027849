// Times of log records: nanoseconds since 1970 as int64, their texts, and the forms that a query may give.
//
// A time outside what int64 nanoseconds hold (1677 to 2262) becomes the nearest one that it does hold, so that "until
// the year 9999" means what it says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace quoll::mgr {

// "2026-11-23T21:22:44.137589767Z"
inline constexpr std::size_t kTimestampBytes = 30;

// RFC 3339: "T" or a space between day and time, any number of fraction digits (those after the ninth are dropped), "Z"
// or an offset. Nothing for any other text.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

// The value of the query parameter `name` (since, until): seconds since 1970, the same with a fraction, or RFC 3339.
//
// Errors: kInvalidArgument names parameter and value.
std::int64_t parse_query_time(std::string_view name, std::string_view text);

// Docker's form: UTC, always nine digits. Writes kTimestampBytes bytes, no terminator.
void format_timestamp(std::int64_t time_ns, char* out);
std::string format_timestamp(std::int64_t time_ns);

// Value of nine ASCII digits; negative when one is not a digit.
inline std::int64_t parse_nine_digits(const char* text) {
  std::uint64_t digits;
  std::memcpy(&digits, text, 8);
  if (((digits & 0xF0F0F0F0F0F0F0F0U) | (((digits + 0x0606060606060606U) & 0xF0F0F0F0F0F0F0F0U) >> 4)) !=
      0x3333333333333333U) {
    return -1;
  }
  const unsigned last = static_cast<unsigned char>(text[8]) - '0';
  if (last > 9) return -1;
  // Neighbours are joined pairwise: digits to tens, to thousands, to the whole (little endian: the first digit is
  // lowest).
  digits = (digits & 0x0F0F0F0F0F0F0F0FU) * 2561 >> 8;
  digits = (digits & 0x00FF00FF00FF00FFU) * 6553601 >> 16;
  digits = (digits & 0x0000FFFF0000FFFFU) * 42949672960001U >> 32;
  return static_cast<std::int64_t>(digits) * 10 + last;
}

// Reads the fixed form of a log file, "2026-11-23T21:22:44.137589767+00:00", with any offset. The calendar part is
// computed only when the second or the offset changes: log lines come thousands a second.
class TimestampParser {
 public:
  static constexpr std::size_t kFixedBytes = 35;

  // REQUIRES: kFixedBytes readable bytes at `text`.
  std::optional<std::int64_t> parse_fixed(const char* text) {
    if (std::memcmp(text, second_, sizeof second_) != 0 || std::memcmp(text + 29, offset_, sizeof offset_) != 0) {
      if (!learn_second(text)) return std::nullopt;
    }
    const std::int64_t nanoseconds = parse_nine_digits(text + 20);
    if (nanoseconds < 0) return std::nullopt;
    return base_ns_ + nanoseconds;
  }

 private:
  bool learn_second(const char* text);

  char second_[20] = {};  // "2026-11-23T21:22:44."
  char offset_[6] = {};   // "+00:00"
  std::int64_t base_ns_ = 0;
};

// Writes Docker's form; the calendar part is kept from the call before while the second is the same.
class TimestampFormatter {
 public:
  // REQUIRES: kTimestampBytes writable bytes at `out`.
  void format(std::int64_t time_ns, char* out) {
    const std::uint64_t within_second = static_cast<std::uint64_t>(time_ns) - static_cast<std::uint64_t>(base_ns_);
    if (!known_ || within_second >= 1'000'000'000) return learn_second(time_ns, out);
    std::memcpy(out, second_, sizeof second_);
    write_nanoseconds(static_cast<std::uint32_t>(within_second), out + sizeof second_);
  }

 private:
  static void write_nanoseconds(std::uint32_t nanoseconds, char* out) {
    for (int place = 8; place >= 0; --place, nanoseconds /= 10) out[place] = static_cast<char>('0' + nanoseconds % 10);
    out[9] = 'Z';
  }
  void learn_second(std::int64_t time_ns, char* out);

  bool known_ = false;
  char second_[20] = {};
  std::int64_t base_ns_ = 0;
};

}  // namespace quoll::mgr
