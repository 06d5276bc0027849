#include "mgr/log/timestamp.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// seconds * 10^9 + nanoseconds, held at the ends of int64.
std::int64_t to_nanoseconds(std::int64_t seconds, std::int64_t nanoseconds) {
  std::int64_t total = 0;
  if (__builtin_mul_overflow(seconds, kSecond, &total) || __builtin_add_overflow(total, nanoseconds, &total)) {
    return seconds < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  }
  return total;
}

// Takes exactly `count` digits off the front of `text`.
bool take_number(std::string_view& text, std::size_t count, int& value) {
  if (text.size() < count) return false;
  value = 0;
  for (const char digit : text.substr(0, count)) {
    if (digit < '0' || digit > '9') return false;
    value = value * 10 + (digit - '0');
  }
  text.remove_prefix(count);
  return true;
}

bool take_char(std::string_view& text, std::string_view allowed) {
  if (text.empty() || allowed.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// Takes the digits of a fraction (at least one) off the front; those after the ninth do not count.
bool take_fraction(std::string_view& text, std::int64_t& nanoseconds) {
  std::size_t count = 0;
  nanoseconds = 0;
  for (; count < text.size() && text[count] >= '0' && text[count] <= '9'; ++count) {
    if (count < 9) nanoseconds = nanoseconds * 10 + (text[count] - '0');
  }
  for (std::size_t place = count; place < 9; ++place) nanoseconds *= 10;
  text.remove_prefix(count);
  return count > 0;
}

// "2026-11-23T21:22:44" as seconds since 1970, as if it were UTC.
bool take_civil_seconds(std::string_view& text, std::int64_t& seconds) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_number(text, 4, year) || !take_char(text, "-") || !take_number(text, 2, month) || !take_char(text, "-") ||
      !take_number(text, 2, day) || !take_char(text, "Tt ") || !take_number(text, 2, hour) || !take_char(text, ":") ||
      !take_number(text, 2, minute) || !take_char(text, ":") || !take_number(text, 2, second)) {
    return false;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return false;  // 60: a leap second
  seconds =
      std::int64_t{std::chrono::sys_days(date).time_since_epoch().count()} * 86400 + hour * 3600 + minute * 60 + second;
  return true;
}

bool take_offset_seconds(std::string_view& text, std::int64_t& seconds) {
  seconds = 0;
  if (take_char(text, "Zz")) return true;
  const bool behind = !text.empty() && text.front() == '-';
  int hours = 0, minutes = 0;
  if (!take_char(text, "+-") || !take_number(text, 2, hours) || !take_char(text, ":") ||
      !take_number(text, 2, minutes) || hours > 23 || minutes > 59) {
    return false;
  }
  seconds = (hours * 3600 + minutes * 60) * (behind ? -1 : 1);
  return true;
}

// "1700000000" or "1700000000.5", with an optional minus sign.
std::optional<std::int64_t> parse_unix_time(std::string_view text) {
  const bool negative = take_char(text, "-");
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  std::int64_t seconds = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
    seconds = std::min<std::int64_t>(seconds, 100'000'000'000'000) * 10 + (text.front() - '0');
  }
  std::int64_t nanoseconds = 0;
  if (take_char(text, ".") && !take_fraction(text, nanoseconds)) return std::nullopt;
  if (!text.empty()) return std::nullopt;
  return negative ? to_nanoseconds(-seconds, -nanoseconds) : to_nanoseconds(seconds, nanoseconds);
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  std::int64_t seconds = 0, nanoseconds = 0, offset = 0;
  if (!take_civil_seconds(text, seconds)) return std::nullopt;
  if (take_char(text, ".") && !take_fraction(text, nanoseconds)) return std::nullopt;
  if (!take_offset_seconds(text, offset) || !text.empty()) return std::nullopt;
  return to_nanoseconds(seconds - offset, nanoseconds);
}

std::int64_t parse_query_time(std::string_view name, std::string_view text) {
  if (const auto time = parse_unix_time(text)) return *time;
  if (const auto time = parse_rfc3339(text)) return *time;
  throw Error(ErrorClass::kInvalidArgument, "invalid value for \"" + std::string(name) + "\": \"" + std::string(text) +
                                                "\" is neither seconds since 1970 nor an RFC 3339 time");
}

void format_timestamp(std::int64_t time_ns, char* out) { TimestampFormatter().format(time_ns, out); }

std::string format_timestamp(std::int64_t time_ns) {
  std::string text(kTimestampBytes, '\0');
  format_timestamp(time_ns, text.data());
  return text;
}

bool TimestampParser::learn_second(const char* text) {
  std::string_view rest(text, 20);
  std::string_view offset_text(text + 29, 6);
  std::int64_t seconds = 0, offset = 0;
  if (text[10] != 'T' || text[19] != '.' || (text[29] != '+' && text[29] != '-')) return false;
  if (!take_civil_seconds(rest, seconds) || !take_offset_seconds(offset_text, offset)) return false;
  std::memcpy(second_, text, sizeof second_);
  std::memcpy(offset_, text + 29, sizeof offset_);
  // A whole second of room is left, so that adding nanoseconds cannot overflow.
  base_ns_ = std::min(to_nanoseconds(seconds - offset, 0), std::numeric_limits<std::int64_t>::max() - kSecond);
  return true;
}

void TimestampFormatter::learn_second(std::int64_t time_ns, char* out) {
  std::int64_t within_second = time_ns % kSecond;
  std::int64_t seconds = time_ns / kSecond;
  if (within_second < 0) {
    within_second += kSecond;
    --seconds;
  }
  const std::int64_t days = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400;
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  const int of_day = static_cast<int>(seconds - days * 86400);
  const auto put = [this](std::size_t at, int digits, int value) {
    for (int place = digits - 1; place >= 0; --place, value /= 10) {
      second_[at + static_cast<std::size_t>(place)] = static_cast<char>('0' + value % 10);
    }
  };
  std::memcpy(second_, "0000-00-00T00:00:00.", sizeof second_);
  put(0, 4, static_cast<int>(date.year()));
  put(5, 2, static_cast<int>(static_cast<unsigned>(date.month())));
  put(8, 2, static_cast<int>(static_cast<unsigned>(date.day())));
  put(11, 2, of_day / 3600);
  put(14, 2, of_day / 60 % 60);
  put(17, 2, of_day % 60);
  std::memcpy(out, second_, sizeof second_);
  write_nanoseconds(static_cast<std::uint32_t>(within_second), out + sizeof second_);
  known_ = !__builtin_sub_overflow(time_ns, within_second, &base_ns_);
}

}  // namespace quoll::mgr
