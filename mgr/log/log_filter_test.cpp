#include "mgr/log/log_filter.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

TEST(log_filter, tail_is_a_number_or_all) {
  EXPECT_EQ(parse_tail("0"), 0U);
  EXPECT_EQ(parse_tail("100"), 100U);
  for (const char* all : {"", "all", "-1", "x", "1x", "1.5", "99999999999999999999999"}) {
    EXPECT_EQ(parse_tail(all), std::nullopt) << all;
  }
}

TEST(log_filter, absent_times_are_no_bound) {
  EXPECT_EQ(parse_since(""), std::nullopt);
  EXPECT_EQ(parse_until(""), std::nullopt);
  EXPECT_EQ(parse_since("0"), 0);
  EXPECT_EQ(parse_until("0"), std::nullopt);
  EXPECT_EQ(parse_until("1.000000001"), 1'000'000'001);
}

TEST(log_filter, malformed_times_are_refused) {
  EXPECT_THROW(parse_since("yesterday"), Error);
  EXPECT_THROW(parse_until("yesterday"), Error);
}

TEST(log_filter, wants_follows_the_streams) {
  LogFilter filter;
  filter.stderr_wanted = true;
  EXPECT_FALSE(filter.wants(LogStream::kStdout));
  EXPECT_TRUE(filter.wants(LogStream::kStderr));
}

}  // namespace
}  // namespace quoll::mgr
