#include "mgr/build/path_pattern.hpp"

#include <gtest/gtest.h>

#include <string>

namespace quoll::mgr {
namespace {

using DoubleStar = PathPattern::DoubleStar;

bool fits(std::string_view pattern, std::string_view path, DoubleStar double_star) {
  const auto parsed = PathPattern::parse(pattern, double_star);
  EXPECT_TRUE(parsed.has_value()) << pattern;
  return parsed && parsed->fits(path);
}

struct Row {
  const char* pattern;
  const char* path;
  bool fits;
};

TEST(path_pattern, is_gos) {
  const Row rows[] = {
      // Plain, and all of it.
      {"", "", true},
      {"", "x", false},
      {"dir/name", "dir/name", true},
      {"dir/name", "dir/name2", false},
      {"dir/name", "dir", false},
      // Stars, which stop at a slash.
      {"*", "", true},
      {"*", "name", true},
      {"*", "dir/name", false},
      {"*.c", ".c", true},
      {"*.c", "a.c.c", true},
      {"*.c", "a.cc", false},
      {"*.c", "d/a.c", false},
      {"d/*", "d/", true},
      {"d/*", "d", false},
      {"*/*.c", "d/a.c", true},
      {"*/*.c", "d/e/a.c", false},
      {"x*y*z", "x1y2y3z", true},
      {"x*y*z", "x1y2y3", false},
      {"x*y/*z", "xy/z", true},
      {"x*y/*z", "x/y/z", false},
      {"a**b", "a12b", true},
      {"a**b", "a/b", false},
      {"*aab", "aaab", true},
      // Any character but a slash.
      {"?", "x", true},
      {"?", "", false},
      {"?", "/", false},
      {"a?c?", "abcd", true},
      {"a?c?", "abc", false},
      {"*?x", "aax", true},
      // Classes.
      {"[b]", "b", true},
      {"[b]", "", false},
      {"f[a-c]o", "fbo", true},
      {"f[a-c]o", "fdo", false},
      {"f[a-cx-z0]", "fy", true},
      {"f[a-cx-z0]", "f0", true},
      {"f[a-cx-z0]", "fw", false},
      {"f[c-a]", "fb", false},
      {"[^a-c]", "d", true},
      {"[^a-c]", "b", false},
      {"[^a]", "^", true},
      {"[a^]", "^", true},
      {"[!a]", "a", true},
      {"[!a]", "!", true},
      {"[!a]", "b", false},
      {"a[/]b", "a/b", true},
      {"a[^x]b", "a/b", true},
      {"*[^x]*", "d/b", false},
      {"[*?[]", "?", true},
      {"[*?[]", "a", false},
      {"*[0-9]", "file7", true},
      {"*[0-9]", "file", false},
      {"a]", "a]", true},
      {"a-b^!", "a-b^!", true},
      // Backslashes.
      {"\\*\\?\\[", "*?[", true},
      {"\\*", "x", false},
      {"\\a\\\\", "a\\", true},
      {"[\\]]", "]", true},
      {"[\\^]", "^", true},
      {"[\\--0]", ".", true},
      {"[a\\-c]", "-", true},
      {"[a\\-c]", "b", false},
      {"[\\\\]", "\\", true},
      // Characters of more than one byte, and bytes that are none.
      {"K?se", "Käse", true},
      {"K??se", "Käse", false},
      {"?", "€", true},
      {"?", "\U0001F642", true},
      {"[ä-ü]", "ö", true},
      {"[a-z]", "ö", false},
      {"[^a-z][^a-z]", "ö", false},
      {"*??", "€", false},
      {"?", "\xff", true},
      {"??", "\xc3", false},
      {"??", "\xe2\x82", true},
      {"??", "\xc0\xaf", true},
      {"???", "\xed\xa0\x80", true},
      {"[\xef\xbf\xbd]", "\xff", true},
      {"\xff*", "\xff\xfe", true},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(fits(row.pattern, row.path, DoubleStar::kStar), row.fits) << row.pattern << " on " << row.path;
  }
}

TEST(path_pattern, malformed_ones_are_none) {
  for (const char* pattern : {"\\", "a\\", "[", "[^", "[]", "[^]", "[a", "a[b-", "[b-]", "[-b]", "[]b]", "[a-b-c]",
                              "[a\\", "[a-\\", "x*[", "[\xff]", "[a-\xff]"}) {
    for (const DoubleStar double_star : {DoubleStar::kStar, DoubleStar::kDirectories}) {
      EXPECT_FALSE(PathPattern::parse(pattern, double_star)) << pattern;
    }
  }
}

TEST(path_pattern, two_stars_are_any_number_of_directories) {
  const Row rows[] = {
      {"**", "a/b/c", true},      {"**/c", "c", true},         {"**/c", "a/b/c", true},   {"**/c", "bc", false},
      {"a/**", "a/b/c", true},    {"a/**", "a", false},        {"a/**/d", "a/d", true},   {"a/**/d", "a/b/c/d", true},
      {"a/**/d", "a/bd", false},  {"**/*.md", "a/b.md", true}, {"**/*.md", "b.md", true}, {"**/*.md", "b.mdx", false},
      {"**.md", "a/b.md", true},  {"**.m?", "a/b.md", false},  {"**.m?", "a/.md", true},  {"a**b", "axb", false},
      {"a**b", "ax/b", true},     {"a**b", "ab", true},        {"*/**", "a/b/c", true},   {"*/**", "a", false},
      {"**/a/**", "x/a/y", true}, {"**/a/**", "a/y/z", true},  {"**/a/**", "x/a", false}, {"a?/*", "ab/c/d", false},
      {"**[xy]", "a/x", true},    {"**[xy]", "ax", false},     {"**/**/a", "b/a", true},  {"a/***", "a/b/c", true},
      {"*[^x]*", "d/b", true},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(fits(row.pattern, row.path, DoubleStar::kDirectories), row.fits) << row.pattern << " on " << row.path;
  }
}

TEST(path_pattern, is_told_from_a_name) {
  for (const char* text : {"*", "a?", "[", "\\\\*"}) EXPECT_TRUE(is_pattern(text)) << text;
  for (const char* text : {"", "a/b", "]", "\\*", "a\\?b\\[", "\\"}) EXPECT_FALSE(is_pattern(text)) << text;
}

// Where a star's cost can double with each one before it, this would take longer than the test may.
TEST(path_pattern, no_pattern_takes_long) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  const std::string path = std::string(4000, 'a') + "b";
  EXPECT_FALSE(fits(pattern, path, DoubleStar::kStar));
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "**/a*";
  EXPECT_FALSE(fits(deep, path, DoubleStar::kDirectories));
}

}  // namespace
}  // namespace quoll::mgr
