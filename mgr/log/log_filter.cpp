#include "mgr/log/log_filter.hpp"

#include <charconv>
#include <limits>

#include "mgr/log/timestamp.hpp"

namespace quoll::mgr {

std::optional<std::int64_t> parse_since(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return parse_query_time("since", text);
}

std::optional<std::int64_t> parse_until(std::string_view text) {
  if (text.empty() || text == "0") return std::nullopt;
  return parse_query_time("until", text);
}

std::optional<std::uint64_t> parse_tail(std::string_view text) {
  std::uint64_t lines = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lines);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::nullopt;
  return lines;
}

}  // namespace quoll::mgr
