// What a reader of a container's log asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mgr/log/log_record.hpp"

namespace quoll::mgr {

// All fields are optional; with no stream wanted nothing is given.
struct LogFilter {
  bool stdout_wanted = false;
  bool stderr_wanted = false;
  bool timestamps = false;
  std::optional<std::int64_t> since_ns;  // records of this very time are in
  std::optional<std::int64_t> until_ns;  // records of this very time are in
  std::string attributes;                // stand before each line, with their space; empty: none
  std::optional<std::uint64_t> tail;     // lines; counted before since and until are applied, as Docker does

  bool wants(LogStream stream) const { return stream == LogStream::kStdout ? stdout_wanted : stderr_wanted; }
  bool operator==(const LogFilter&) const = default;
};

// The query parameters as Docker reads them. Nothing means no bound.
//
// Errors: a malformed time is kInvalidArgument; a malformed tail means all lines.
std::optional<std::int64_t> parse_since(std::string_view text);
std::optional<std::int64_t> parse_until(std::string_view text);  // "0" is no bound
std::optional<std::uint64_t> parse_tail(std::string_view text);

}  // namespace quoll::mgr
