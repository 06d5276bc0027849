#include "http/uri.hpp"

#include "http/fields.hpp"

namespace quoll::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

std::string decode_leniently(std::string_view text) {
  std::optional<std::string> decoded = percent_decode(text, true);
  return decoded ? std::move(*decoded) : std::string(text);
}

// Calls visit(name, value), both undecoded, for each pair until it returns false.
template <typename Visit>
void for_each_pair(std::string_view query, Visit visit) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (!pair.empty() && !visit(pair.substr(0, equals), value)) return;
    if (end == std::string_view::npos) return;
    query.remove_prefix(end + 1);
  }
}

bool names_equal(std::string_view coded, std::string_view name) {
  if (coded == name) return true;
  if (coded.find_first_of("%+") == std::string_view::npos) return false;
  return decode_leniently(coded) == name;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string coded;
  coded.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || (keep_slash && c == '/')) {
      coded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      coded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return coded;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  std::optional<std::string> found;
  for_each_pair(query, [&](std::string_view coded, std::string_view value) {
    if (!names_equal(coded, name)) return true;
    found = decode_leniently(value);
    return false;
  });
  return found;
}

std::vector<std::string> query_values(std::string_view query, std::string_view name) {
  std::vector<std::string> values;
  for_each_pair(query, [&](std::string_view coded, std::string_view value) {
    if (names_equal(coded, name)) values.push_back(decode_leniently(value));
    return true;
  });
  return values;
}

bool docker_bool(std::string_view value) {
  for (const std::string_view word : {"", "0", "no", "false", "none"}) {
    if (equals_ignoring_case(value, word)) return false;
  }
  return true;
}

}  // namespace quoll::http
