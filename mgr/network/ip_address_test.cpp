#include "mgr/network/ip_address.hpp"

#include <gtest/gtest.h>

namespace quoll::mgr {
namespace {

TEST(ip_address, is_read_and_written) {
  for (const char* text : {"0.0.0.0", "172.17.0.2", "255.255.255.255", "::", "::1", "fd00:1:2::a"}) {
    ASSERT_TRUE(parse_ip_address(text)) << text;
    EXPECT_EQ(to_string(*parse_ip_address(text)), text);
  }
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "x", "fd00::1::2", "1.2.3.4/8"}) {
    EXPECT_FALSE(parse_ip_address(text)) << text;
  }
  EXPECT_EQ(to_string(*parse_ip_address("10.0.0.255") + 1), "10.0.1.0");
  EXPECT_TRUE(parse_ip_address("127.8.0.1")->is_loopback());
  EXPECT_TRUE(parse_ip_address("::1")->is_loopback());
  EXPECT_FALSE(parse_ip_address("128.0.0.1")->is_loopback());
}

TEST(ip_prefix, drops_host_bits_and_knows_its_ends) {
  const auto prefix = parse_ip_prefix("10.1.2.3/23");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(to_string(*prefix), "10.1.2.0/23");
  EXPECT_EQ(to_string(prefix->last()), "10.1.3.255");
  EXPECT_EQ(to_string(*parse_ip_prefix("0.0.0.0/0")), "0.0.0.0/0");
  EXPECT_EQ(to_string(parse_ip_prefix("::/0")->last()), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_EQ(to_string(parse_ip_prefix("1.2.3.4/32")->last()), "1.2.3.4");
  for (const char* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "/8", "fd00::/129"}) {
    EXPECT_FALSE(parse_ip_prefix(text)) << text;
  }
}

TEST(ip_prefix, overlap_is_containment_either_way_within_a_family) {
  const auto wide = *parse_ip_prefix("10.0.0.0/8");
  const auto narrow = *parse_ip_prefix("10.1.0.0/16");
  const auto other = *parse_ip_prefix("11.0.0.0/8");
  EXPECT_TRUE(wide.overlaps(narrow) && narrow.overlaps(wide));
  EXPECT_FALSE(wide.overlaps(other));
  EXPECT_TRUE(wide.contains(narrow));
  EXPECT_FALSE(narrow.contains(wide));
  EXPECT_FALSE(parse_ip_prefix("0.0.0.0/0")->overlaps(*parse_ip_prefix("::/0")));
}

}  // namespace
}  // namespace quoll::mgr
