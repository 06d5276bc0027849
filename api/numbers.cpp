#include "api/numbers.hpp"

#include <charconv>

#include "task/error.hpp"

namespace quoll::api {

unsigned required_size(const http::Request& request, std::string_view name) {
  const std::string text = request.query(name).value_or("");
  unsigned short number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) return number;
  throw Error(ErrorClass::kInvalidArgument, "invalid size \"" + text + "\" for " + std::string(name));
}

std::optional<int> whole_number(std::string_view text) {
  int number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<int> query_number(const http::Request& request, std::string_view name) {
  const std::optional<std::string> text = request.query(name);
  if (!text || text->empty()) return std::nullopt;
  const std::optional<int> number = whole_number(*text);
  if (!number) throw Error(ErrorClass::kInvalidArgument, "invalid value for \"" + std::string(name) + "\": " + *text);
  return number;
}

}  // namespace quoll::api
