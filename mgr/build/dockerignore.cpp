#include "mgr/build/dockerignore.hpp"

#include <algorithm>

#include "mgr/image/layer_unpacker.hpp"
#include "mgr/image/rooted_path.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kPatternMax = 1024;
constexpr std::size_t kRulesMax = 10'000;

[[noreturn]] void refuse(std::string_view pattern) {
  throw Error(ErrorClass::kInvalidArgument, "syntax error in pattern: " + std::string(pattern));
}

bool is_in(std::string_view ranges, char c) {
  for (std::size_t i = 0; i + 1 < ranges.size(); i += 2) {
    if (ranges[i] <= c && c <= ranges[i + 1]) return true;
  }
  return false;
}

}  // namespace

PathPattern::PathPattern(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern.substr(i).starts_with("**/")) {
      // No directory, or any number of them.
      tokens_.push_back({Kind::kPerhaps});
      tokens_.push_back({Kind::kDirectories});
      i += 2;
    } else if (pattern.substr(i).starts_with("**")) {
      tokens_.push_back({Kind::kDeep});
      ++i;
    } else if (pattern[i] == '*') {
      tokens_.push_back({Kind::kStar});
    } else if (pattern[i] == '?') {
      tokens_.push_back({Kind::kAny});
    } else if (pattern[i] == '[') {
      i = add_class(pattern, i + 1);
    } else {
      if (pattern[i] == '\\' && ++i == pattern.size()) refuse(pattern);
      tokens_.push_back({Kind::kLiteral, pattern[i]});
    }
  }
}

// Returns the place of the closing bracket.
std::size_t PathPattern::add_class(std::string_view pattern, std::size_t begin) {
  Token token{Kind::kClass};
  std::size_t i = begin;
  token.negated = i < pattern.size() && pattern[i] == '^';
  if (token.negated) ++i;
  const auto take = [&] {
    if (i < pattern.size() && pattern[i] == '\\') ++i;
    if (i >= pattern.size()) refuse(pattern);
    return pattern[i++];
  };
  while (i < pattern.size() && (pattern[i] != ']' || token.ranges.empty())) {
    const char first = take();
    char last = first;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      ++i;
      last = take();
    }
    token.ranges += first;
    token.ranges += last;
  }
  if (i >= pattern.size()) refuse(pattern);
  tokens_.push_back(std::move(token));
  return i;
}

// With all states that need no character to be reached.
void PathPattern::enter(std::vector<bool>& states, std::size_t state) const {
  while (!states[state]) {
    states[state] = true;
    if (state == tokens_.size()) return;
    const Kind kind = tokens_[state].kind;
    if (kind == Kind::kPerhaps) enter(states, state + 1);
    if (kind == Kind::kPerhaps) {
      state += 2;
    } else if (kind == Kind::kStar || kind == Kind::kDeep) {
      state += 1;
    } else {
      return;
    }
  }
}

bool PathPattern::fits(std::string_view path) const {
  std::vector<bool> states(tokens_.size() + 1);
  enter(states, 0);
  for (const char c : path) {
    std::vector<bool> next(tokens_.size() + 1);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (!states[i]) continue;
      const Token& token = tokens_[i];
      const bool stays =
          (token.kind == Kind::kStar && c != '/') || token.kind == Kind::kDeep || token.kind == Kind::kDirectories;
      const bool goes_on = (token.kind == Kind::kLiteral && c == token.literal) ||
                           (token.kind == Kind::kAny && c != '/') ||
                           (token.kind == Kind::kClass && c != '/' && is_in(token.ranges, c) != token.negated) ||
                           (token.kind == Kind::kDirectories && c == '/');
      if (stays) enter(next, i);
      if (goes_on) enter(next, i + 1);
    }
    states.swap(next);
  }
  return states.back();
}

DockerIgnore::DockerIgnore(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with('#')) continue;
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    const bool exception = line.starts_with('!');
    if (exception) line.remove_prefix(1);
    while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
    const std::string clean = clean_archive_path(line).value_or("");
    if (clean.empty()) continue;
    if (clean.size() > kPatternMax || rules_.size() == kRulesMax) {
      throw Error(ErrorClass::kInvalidArgument, ".dockerignore: too long");
    }
    rules_.push_back({PathPattern(clean), exception});
    has_exceptions_ = has_exceptions_ || exception;
  }
}

bool DockerIgnore::ignores(std::string_view path, const std::stop_token& stop) const {
  bool ignored = false;
  for (const Rule& rule : rules_) {
    if (ignored != rule.exception) continue;  // it would change nothing
    for (std::size_t begin = 0, end = 0; end != path.npos; begin = end + 1) {
      throw_if_stopped(stop);
      end = path.find('/', begin);
      if (!rule.pattern.fits(path.substr(0, end))) continue;
      ignored = !rule.exception;
      break;
    }
  }
  return ignored;
}

}  // namespace quoll::mgr
