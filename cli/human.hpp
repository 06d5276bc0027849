// Times and sizes as people write and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quoll::cli {

// "Less than a second", "5 seconds", "About a minute", "3 weeks": as docker says it.
std::string human_duration(std::chrono::seconds duration);
// "42ms", "1.5s", "3m20s", "2h5m", "4d3h": how long a task has waited.
std::string short_duration(double seconds);
// "4.26MB", in powers of 1000.
std::string human_size(std::uint64_t bytes);

// "1h30m", "1.5s", "300ms": Go's durations without a sign. Nothing for any other text.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
// The value of `since` and `until` for the daemon: a duration means that long before now, a time without a zone is this
// host's local time, and all else goes as it stands.
std::string query_time(std::string_view text, std::chrono::system_clock::time_point now);

}  // namespace quoll::cli
