// .dockerignore: which files of a context a build does not see.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::mgr {

// A pattern of a path: Go's filepath.Match, and `**` for any depth. Takes time in proportion to the product of the
// lengths, whatever the pattern is.
class PathPattern {
 public:
  // Errors: kInvalidArgument for a bracket without its end.
  explicit PathPattern(std::string_view pattern);

  bool fits(std::string_view path) const;

 private:
  enum class Kind { kLiteral, kAny, kClass, kStar, kDeep, kPerhaps, kDirectories };
  struct Token {
    Kind kind;
    char literal = 0;
    bool negated = false;
    std::string ranges = {};  // pairs of the first and the last character
  };

  std::size_t add_class(std::string_view pattern, std::size_t begin);
  void enter(std::vector<bool>& states, std::size_t state) const;

  std::vector<Token> tokens_;
};

// Patterns as Docker has them: `!` for exceptions; the last match decides. A pattern that fits a directory fits all in
// it.
class DockerIgnore {
 public:
  // Errors: kInvalidArgument for a malformed pattern.
  explicit DockerIgnore(std::string_view text);

  bool empty() const { return rules_.empty(); }
  // `path` is relative and clean. Errors: kCancelled once `stop` is requested: hostile rules may take long.
  bool ignores(std::string_view path, const std::stop_token& stop = {}) const;
  // Whether an exception could fit something below an ignored directory.
  bool has_exceptions() const { return has_exceptions_; }

 private:
  struct Rule {
    PathPattern pattern;
    bool exception = false;
  };
  std::vector<Rule> rules_;
  bool has_exceptions_ = false;
};

}  // namespace quoll::mgr
