#include "cli/human.hpp"

#include <charconv>
#include <cstdio>
#include <ctime>

namespace quoll::cli {
namespace {

using std::chrono::nanoseconds;

struct Unit {
  std::string_view name;
  double ns;
};
// Longer names first: "ms" is not "m".
constexpr Unit kUnits[] = {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
constexpr double kDurationMaxNs = 9e18;

std::string count_of(std::int64_t count, const char* unit) { return std::to_string(count) + " " + unit; }

std::string seconds_text(std::int64_t seconds, std::int64_t nanos) {
  char text[48];
  std::snprintf(text, sizeof text, "%lld.%09lld", static_cast<long long>(seconds), static_cast<long long>(nanos));
  return text;
}

// "2024-05-01[T12:30[:05[.25]]]" of this host's zone, as the daemon's seconds.
std::optional<std::string> local_time(const std::string& text) {
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    std::tm fields{};
    const char* const end = ::strptime(text.c_str(), format, &fields);
    if (end == nullptr) continue;
    const std::string fraction = end;
    const bool has_fraction = fraction.size() > 1 && fraction.size() <= 10 && fraction[0] == '.' &&
                              fraction.find_first_not_of("0123456789", 1) == std::string::npos;
    if (!fraction.empty() && !has_fraction) continue;
    fields.tm_isdst = -1;
    const std::time_t seconds = std::mktime(&fields);
    return std::to_string(seconds) + fraction;
  }
  return std::nullopt;
}

}  // namespace

std::string human_duration(std::chrono::seconds duration) {
  const std::int64_t seconds = duration.count();
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return count_of(seconds, "seconds");
  const std::int64_t minutes = seconds / 60;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return count_of(minutes, "minutes");
  const std::int64_t hours = (seconds + 1800) / 3600;
  if (hours == 1) return "About an hour";
  if (hours < 48) return count_of(hours, "hours");
  if (hours < 24 * 7 * 2) return count_of(hours / 24, "days");
  if (hours < 24 * 30 * 2) return count_of(hours / 24 / 7, "weeks");
  if (hours < 24 * 365 * 2) return count_of(hours / 24 / 30, "months");
  return count_of(hours / 24 / 365, "years");
}

std::string short_duration(double seconds) {
  char text[64];
  const auto whole = static_cast<long long>(seconds);
  if (seconds < 1) {
    std::snprintf(text, sizeof text, "%dms", static_cast<int>(seconds * 1000));
  } else if (whole < 60) {
    std::snprintf(text, sizeof text, "%.1fs", seconds);
  } else if (whole < 3600) {
    std::snprintf(text, sizeof text, "%lldm%llds", whole / 60, whole % 60);
  } else if (whole < 86400) {
    std::snprintf(text, sizeof text, "%lldh%lldm", whole / 3600, whole % 3600 / 60);
  } else {
    std::snprintf(text, sizeof text, "%lldd%lldh", whole / 86400, whole % 86400 / 3600);
  }
  return text;
}

std::string human_size(std::uint64_t bytes) {
  static constexpr const char* kNames[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // 999.5 would be printed as 1e+03.
  while (value >= 999.5 && unit + 1 < std::size(kNames)) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.3g%s", value, kNames[unit]);
  return text;
}

std::optional<nanoseconds> parse_duration(std::string_view text) {
  if (text == "0") return nanoseconds(0);
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double number = 0;
    const bool begins_well = text[0] == '.' || (text[0] >= '0' && text[0] <= '9');
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (!begins_well || parsed.ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [text](const Unit& candidate) { return text.starts_with(candidate.name); });
    if (unit == std::end(kUnits)) return std::nullopt;
    total += number * unit->ns;
    text.remove_prefix(unit->name.size());
  }
  if (total > kDurationMaxNs) return std::nullopt;
  return nanoseconds(static_cast<std::int64_t>(total));
}

std::string query_time(std::string_view text, std::chrono::system_clock::time_point now) {
  const auto ago = parse_duration(text);
  if (ago && text != "0") {
    const auto then = std::chrono::duration_cast<nanoseconds>(now.time_since_epoch()) - *ago;
    const std::int64_t ns = std::max<std::int64_t>(0, then.count());
    return seconds_text(ns / 1'000'000'000, ns % 1'000'000'000);
  }
  if (const auto local = local_time(std::string(text))) return *local;
  return std::string(text);
}

}  // namespace quoll::cli
