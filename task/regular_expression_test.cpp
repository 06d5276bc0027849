#include "task/regular_expression.hpp"

#include <gtest/gtest.h>

#include <string>

namespace quoll::task {
namespace {

bool found(std::string_view pattern, std::string_view text) {
  const auto expression = RegularExpression::parse(pattern);
  EXPECT_TRUE(expression.has_value()) << pattern;
  return expression && expression->found_in(text);
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(regular_expression, is_searched_for) {
  EXPECT_TRUE(found("b+", "abbc"));
  EXPECT_TRUE(found("^web-[0-9]{1,2}$", "web-12"));
  EXPECT_FALSE(found("^web-[0-9]{1,2}$", "web-123"));
  EXPECT_TRUE(found("^(?:a|b)\\{$", "a{"));
  EXPECT_FALSE(found("^b", "ab"));
}

TEST(regular_expression, is_none) {
  for (const char* pattern : {"(", "[z-a]", "*", "(a)\\1", "a(?=b)", "a(?!b)", "a{2", "a{3,2}"}) {
    EXPECT_FALSE(RegularExpression::parse(pattern)) << pattern;
  }
}

TEST(regular_expression, has_a_bound) {
  EXPECT_TRUE(RegularExpression::parse(std::string(RegularExpression::kSizeMax, 'a')));
  EXPECT_FALSE(RegularExpression::parse(std::string(RegularExpression::kSizeMax + 1, 'a')));
  EXPECT_TRUE(RegularExpression::parse("[a-z]{1,63}"));
  for (const char* pattern : {"a{1000}", "a{,1000}", "a{1000,}", "((a{10}){10}){10}", "(a?){99999999999999999999}"}) {
    EXPECT_FALSE(RegularExpression::parse(pattern)) << pattern;
  }
}

// Where a matcher backtracks, or looks ahead of each place again from each of the others, these would take longer than
// the test may.
TEST(regular_expression, takes_no_long_time) {
  EXPECT_FALSE(found("^(a+)+$", std::string(4000, 'a') + "b"));
  EXPECT_FALSE(found("(((((((((a*)*)*)*)*)*)*)*)*)*b$", std::string(60, 'a')));
  EXPECT_FALSE(RegularExpression::parse(repeated("(?=.*", 20) + "b" + repeated(")", 20)));
}

// The largest of their kinds: what recurses over them has room.
TEST(regular_expression, takes_no_deep_stack) {
  constexpr std::size_t kSize = RegularExpression::kSizeMax;
  EXPECT_TRUE(found(repeated("(", kSize / 2) + repeated(")", kSize / 2), "x"));
  EXPECT_TRUE(found(repeated("a*", kSize / 2), "x"));
  EXPECT_TRUE(found("(a?){" + std::to_string(kSize / 10) + "}", "x"));
  EXPECT_FALSE(found(repeated("a|", kSize / 2 - 1) + "a", "x"));
}

}  // namespace
}  // namespace quoll::task
