#include "task/regular_expression.hpp"

#include <algorithm>
#include <cctype>

namespace quoll::task {

namespace {

// What the pattern's length comes to with its repeats written out; at most a little more than kSizeMax.
std::size_t full_size(std::string_view pattern) {
  constexpr std::size_t kEnough = RegularExpression::kSizeMax + 1;
  std::size_t size = std::min(pattern.size(), kEnough);
  for (std::size_t brace = pattern.find('{'); brace != pattern.npos; brace = pattern.find('{', brace + 1)) {
    std::size_t count = 1;
    std::size_t number = 0;
    for (const char c : pattern.substr(brace + 1)) {
      const bool is_digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
      if (!is_digit && c != ',') break;
      number = is_digit ? std::min(number * 10 + static_cast<std::size_t>(c - '0'), kEnough) : 0;
      count = std::max(count, number);
    }
    size = std::min(size * count, kEnough);
  }
  return size;
}

bool has_look_ahead(std::string_view pattern) {
  return pattern.find("(?=") != pattern.npos || pattern.find("(?!") != pattern.npos;
}

}  // namespace

// libstdc++'s breadth-first matcher, which refuses back references.
RegularExpression::RegularExpression(std::string_view pattern)
    : regex_(pattern.begin(), pattern.end(), std::regex::ECMAScript | std::regex_constants::__polynomial) {}

std::optional<RegularExpression> RegularExpression::parse(std::string_view pattern) {
  if (full_size(pattern) > kSizeMax || has_look_ahead(pattern)) return std::nullopt;
  try {
    return RegularExpression(pattern);
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
}

}  // namespace quoll::task
