#include "mgr/short_id.hpp"

#include <gtest/gtest.h>

namespace quoll::mgr {
namespace {

TEST(short_id, is_the_first_twelve_digits) {
  EXPECT_EQ(short_id("0123456789abcdef"), "0123456789ab");
  EXPECT_EQ(short_id("sha256:0123456789abcdef"), "0123456789ab");
  EXPECT_EQ(short_id("abc"), "abc");
  EXPECT_EQ(short_id(""), "");
}

}  // namespace
}  // namespace quoll::mgr
