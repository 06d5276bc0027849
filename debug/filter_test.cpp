#include "debug/filter.hpp"

#include <gtest/gtest.h>

#include <string>

#include "task/error.hpp"

namespace quoll::debug {
namespace {

bool found(std::string pattern, std::string_view text) {
  DumpOptions options;
  options.match = std::move(pattern);
  return Filter(std::move(options)).found_in(text);
}

ErrorClass refusal_class(std::string pattern) {
  try {
    found(std::move(pattern), "");
  } catch (const Error& error) {
    return error.error_class();
  }
  return ErrorClass::kInternal;
}

TEST(filter, plain_text_is_found_anywhere) {
  EXPECT_TRUE(found("logs_container", "quoll::api::logs_container"));
  EXPECT_TRUE(found("api::", "quoll::api::logs_container"));
  EXPECT_FALSE(found("Logs", "quoll::api::logs_container"));
}

TEST(filter, expressions_are_searched_for) {
  EXPECT_TRUE(found("logs_(container|image)$", "quoll::api::logs_container"));
  EXPECT_TRUE(found("^quoll::.*logs", "quoll::api::logs_container"));
  EXPECT_FALSE(found("^api", "quoll::api::logs_container"));
  EXPECT_TRUE(found("[a-c]pi", "quoll::api"));
}

TEST(filter, refuses_what_is_no_expression_or_may_cost_too_much) {
  EXPECT_EQ(refusal_class("("), ErrorClass::kInvalidArgument);
  EXPECT_EQ(refusal_class("[z-a]"), ErrorClass::kInvalidArgument);
  EXPECT_EQ(refusal_class("*"), ErrorClass::kInvalidArgument);
  EXPECT_EQ(refusal_class("(a)\\1"), ErrorClass::kInvalidArgument);
  EXPECT_EQ(refusal_class("a(?=b)"), ErrorClass::kInvalidArgument);
  EXPECT_EQ(refusal_class("a{2}"), ErrorClass::kInvalidArgument);
  EXPECT_EQ(refusal_class(std::string(kMatchBytesMax + 1, 'a')), ErrorClass::kInvalidArgument);
}

// A matcher that backtracks would need 2^60 steps for this.
TEST(filter, a_hostile_expression_ends) {
  EXPECT_FALSE(found("(a|a|aa)*(a|aa)*(a*)*b$", std::string(kMatchBytesMax, 'a')));
  EXPECT_FALSE(found("(((((((((a*)*)*)*)*)*)*)*)*)*b$", std::string(60, 'a')));
}

}  // namespace
}  // namespace quoll::debug
