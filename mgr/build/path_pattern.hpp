// Patterns of paths: the sources of COPY and ADD, and the rules of .dockerignore.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quoll::mgr {

// Go's filepath.Match: `*` and `?` stop at a slash, `[a-z]` is one character of these and `[^a-z]` one of all others,
// and a backslash takes the character behind it as it is. A character is one of UTF-8, or a byte that is none; Go's own
// takes some apart behind a star, this does not.
//
// Takes time in proportion to the product of the lengths, whatever the pattern is.
class PathPattern {
 public:
  // What `**` is: no more than `*`, or any number of directories, as moby's matcher has it.
  enum class DoubleStar { kStar, kDirectories };

  // Nothing for a malformed pattern.
  static std::optional<PathPattern> parse(std::string_view pattern, DoubleStar double_star);

  // Whether it is all of `path`.
  bool fits(std::string_view path) const;

 private:
  enum class Kind { kText, kAny, kClass, kStar, kDeep, kDirectories };
  struct Token {
    Kind kind;
    std::string text = {};    // of kText
    bool only_first = false;  // of kStar: Go does not go back to where else what is before it may end
    bool negated = false;     // of kClass
    std::vector<std::pair<char32_t, char32_t>> ranges = {};

    bool has(char32_t character) const;
  };

  static std::optional<Token> take_class(std::string_view& rest);
  Kind take_double_star(std::string_view& rest) const;
  void add_text(char c);
  static std::vector<bool> step(const Token& token, std::string_view path, const std::vector<bool>& from);

  std::vector<Token> tokens_;
};

// Whether `text` is more than a name: whether it has `*`, `?` or `[` without a backslash before it.
bool is_pattern(std::string_view text);

}  // namespace quoll::mgr
