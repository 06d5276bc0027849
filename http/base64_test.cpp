#include "http/base64.hpp"

#include <gtest/gtest.h>

namespace quoll::http {
namespace {

TEST(base64, goes_both_ways) {
  for (const std::string plain : {"", "a", "ab", "abc", "abcd", "\xff\xfe\xfd", "user:s3cret pass"}) {
    EXPECT_EQ(from_base64(to_base64(plain)), plain);
  }
  EXPECT_EQ(to_base64("any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
}

TEST(base64, takes_the_alphabet_of_urls_and_no_padding) {
  EXPECT_EQ(from_base64("__79"), "\xff\xfe\xfd");
  EXPECT_EQ(from_base64("//79"), "\xff\xfe\xfd");
  EXPECT_EQ(from_base64("YQ"), "a");
  EXPECT_EQ(from_base64("YQ=="), "a");
}

TEST(base64, refuses_what_is_none) {
  EXPECT_FALSE(from_base64("!"));
  EXPECT_FALSE(from_base64("YQ!a"));
  EXPECT_FALSE(from_base64("YWJjZ"));
}

}  // namespace
}  // namespace quoll::http
