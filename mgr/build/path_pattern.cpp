#include "mgr/build/path_pattern.hpp"

#include <algorithm>

namespace quoll::mgr {

namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Character {
  char32_t code;
  std::size_t bytes;
};

// Of a text that is not empty. As Go decodes: what is no UTF-8 is one replacement character a byte.
Character first_character(std::string_view text) {
  constexpr Character kNone{kReplacement, 1};
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC0 || lead > 0xF4 || text.size() < bytes) return kNone;
  char32_t code = lead & (0x7FU >> bytes);
  for (const char c : text.substr(1, bytes - 1)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) return kNone;
    code = code << 6 | (byte & 0x3FU);
  }
  constexpr char32_t kLeast[] = {0x80, 0x800, 0x10000};  // of two, three and four bytes
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kLeast[bytes - 2] || code > 0x10FFFF || is_surrogate) return kNone;
  return {code, bytes};
}

// One end of a class's range.
std::optional<char32_t> take_end(std::string_view& rest) {
  if (rest.starts_with('-') || rest.starts_with(']')) return std::nullopt;
  if (rest.starts_with('\\')) rest.remove_prefix(1);
  if (rest.empty()) return std::nullopt;
  const Character character = first_character(rest);
  if (character.code == kReplacement && character.bytes == 1) return std::nullopt;
  rest.remove_prefix(character.bytes);
  return character.code;
}

}  // namespace

bool PathPattern::Token::has(char32_t character) const {
  const bool found = std::ranges::any_of(
      ranges, [&](const auto& range) { return range.first <= character && character <= range.second; });
  return found != negated;
}

std::optional<PathPattern> PathPattern::parse(std::string_view pattern, DoubleStar double_star) {
  PathPattern parsed;
  for (std::string_view rest = pattern; !rest.empty();) {
    const char c = rest.front();
    if (c == '[') {
      std::optional<Token> token = take_class(rest);
      if (!token) return std::nullopt;
      parsed.tokens_.push_back(std::move(*token));
    } else if (double_star == DoubleStar::kDirectories && rest.starts_with("**")) {
      parsed.tokens_.push_back({parsed.take_double_star(rest)});
    } else if (c == '*' || c == '?') {
      rest.remove_prefix(1);
      parsed.tokens_.push_back(
          {.kind = c == '*' ? Kind::kStar : Kind::kAny, .only_first = double_star == DoubleStar::kStar});
    } else {
      if (c == '\\') rest.remove_prefix(1);
      if (rest.empty()) return std::nullopt;
      parsed.add_text(rest.front());
      rest.remove_prefix(1);
    }
  }
  return parsed;
}

void PathPattern::add_text(char c) {
  if (tokens_.empty() || tokens_.back().kind != Kind::kText) tokens_.push_back({Kind::kText});
  tokens_.back().text += c;
}

// `rest` begins with its bracket.
std::optional<PathPattern::Token> PathPattern::take_class(std::string_view& rest) {
  Token token{Kind::kClass};
  rest.remove_prefix(1);
  token.negated = rest.starts_with('^');
  if (token.negated) rest.remove_prefix(1);
  while (token.ranges.empty() || !rest.starts_with(']')) {
    const std::optional<char32_t> first = take_end(rest);
    if (!first) return std::nullopt;
    std::optional<char32_t> last = first;
    if (rest.starts_with('-')) {
      rest.remove_prefix(1);
      last = take_end(rest);
    }
    if (!last) return std::nullopt;
    token.ranges.emplace_back(*first, *last);
  }
  rest.remove_prefix(1);
  return token;
}

// At the end it is all that is there. Elsewhere it is whole directories or nothing, with a slash behind it or without;
// only at the beginning of what is otherwise plain, as in "**.md", it may end within a name.
PathPattern::Kind PathPattern::take_double_star(std::string_view& rest) const {
  rest.remove_prefix(2);
  const bool has_slash = rest.starts_with('/');
  if (has_slash) rest.remove_prefix(1);
  const bool is_end_of_names = tokens_.empty() && !has_slash && rest.find_first_of("*?[]\\") == rest.npos;
  return rest.empty() || is_end_of_names ? Kind::kDeep : Kind::kDirectories;
}

// From the places in `path` that what is before `token` may end at to those that `token` may end at.
std::vector<bool> PathPattern::step(const Token& token, std::string_view path, const std::vector<bool>& from) {
  std::vector<bool> to(from.size());
  bool begun = false;  // a star, here or at an earlier place
  for (std::size_t i = 0; i < from.size(); ++i) {
    const char before = i == 0 ? '\0' : path[i - 1];
    switch (token.kind) {
      case Kind::kText:
        if (from[i] && path.substr(i).starts_with(token.text)) to[i + token.text.size()] = true;
        break;
      case Kind::kAny:
        if (from[i] && i < path.size() && path[i] != '/') to[i + first_character(path.substr(i)).bytes] = true;
        break;
      case Kind::kClass:
        if (from[i] && i < path.size()) {
          const Character character = first_character(path.substr(i));
          if (token.has(character.code)) to[i + character.bytes] = true;
        }
        break;
      case Kind::kStar:
        if (from[i] && !(token.only_first && begun)) begun = to[i] = true;
        if (to[i] && i < path.size() && path[i] != '/') to[i + first_character(path.substr(i)).bytes] = true;
        break;
      case Kind::kDeep:
        begun = begun || from[i];
        to[i] = begun;
        break;
      case Kind::kDirectories:
        to[i] = from[i] || (begun && before == '/');
        begun = begun || from[i];
        break;
    }
  }
  return to;
}

bool PathPattern::fits(std::string_view path) const {
  std::vector<bool> ends(path.size() + 1);
  ends.front() = true;
  for (const Token& token : tokens_) {
    ends = step(token, path, ends);
    if (std::ranges::find(ends, true) == ends.end()) return false;
  }
  return ends.back();
}

bool is_pattern(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '*' || text[i] == '?' || text[i] == '[') {
      return true;
    }
  }
  return false;
}

}  // namespace quoll::mgr
