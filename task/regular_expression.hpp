// RegularExpression: one that a client has written.
#pragma once

#include <cstddef>
#include <optional>
#include <regex>
#include <string_view>

namespace quoll::task {

// ECMAScript's, without back references and look-aheads: what is left is matched without backtracking.
//
// Limits: kSizeMax, which bounds the matcher's recursion too.
class RegularExpression {
 public:
  // Of a pattern's length times the counts of its repeats ("{2,5}"), which are copies.
  static constexpr std::size_t kSizeMax = 1024;

  // Nothing for what is none, is too large, or not of the kind above.
  static std::optional<RegularExpression> parse(std::string_view pattern);

  bool found_in(std::string_view text) const { return std::regex_search(text.begin(), text.end(), regex_); }

 private:
  explicit RegularExpression(std::string_view pattern);

  std::regex regex_;
};

}  // namespace quoll::task
