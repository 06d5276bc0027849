#include "mgr/network/subnet_choice.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

TEST(subnet_choice, takes_the_first_that_nobody_uses) {
  std::vector<IpPrefix> used;
  EXPECT_EQ(to_string(choose_ipv4_subnet(used)), "172.17.0.0/16");
  used.push_back(*parse_ip_prefix("172.16.0.0/14"));
  EXPECT_EQ(to_string(choose_ipv4_subnet(used)), "172.20.0.0/16");
  used.push_back(*parse_ip_prefix("172.16.0.0/12"));
  EXPECT_EQ(to_string(choose_ipv4_subnet(used)), "192.168.0.0/20");
  used.push_back(*parse_ip_prefix("192.168.17.0/24"));
  used.push_back(*parse_ip_prefix("192.168.3.0/24"));
  EXPECT_EQ(to_string(choose_ipv4_subnet(used)), "192.168.32.0/20");
  used.push_back(*parse_ip_prefix("192.168.0.0/16"));
  EXPECT_THROW(choose_ipv4_subnet(used), Error);
}

TEST(subnet_choice, ipv6_subnets_are_local_and_an_installations_own) {
  const IpPrefix first = choose_ipv6_subnet("a", {});
  EXPECT_EQ(first.length, 64);
  EXPECT_TRUE(parse_ip_prefix("fd00::/8")->contains(first));
  EXPECT_NE(first, choose_ipv6_subnet("b", {}));
  EXPECT_FALSE(first.overlaps(choose_ipv6_subnet("a", {first})));
}

}  // namespace
}  // namespace quoll::mgr
