// Numbers in queries.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "http/request.hpp"
#include "task/error.hpp"

namespace quoll::api {

// All of `text` as a number; nothing where it is none.
template <class Number = int>
std::optional<Number> whole_number(std::string_view text) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

// Nothing where it is absent or empty. Errors: kInvalidArgument where it is none.
template <class Number = int>
std::optional<Number> query_number(const http::Request& request, std::string_view name) {
  const std::string text = request.query(name).value_or("");
  if (text.empty()) return std::nullopt;
  const std::optional<Number> number = whole_number<Number>(text);
  if (!number) throw Error(ErrorClass::kInvalidArgument, "invalid value for \"" + std::string(name) + "\": " + text);
  return number;
}

// A terminal's height or width. Errors: kInvalidArgument where it is absent or none.
unsigned required_size(const http::Request& request, std::string_view name);

}  // namespace quoll::api
