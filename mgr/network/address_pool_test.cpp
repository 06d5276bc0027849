#include "mgr/network/address_pool.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

IpAddress ip(const char* text) { return *parse_ip_address(text); }

AddressRange range(const char* subnet) {
  AddressRange range;
  range.subnet = *parse_ip_prefix(subnet);
  return range;
}

TEST(address_pool, gives_the_lowest_free_address_and_none_that_is_somebody_elses) {
  AddressRange small = range("10.0.0.0/29");
  small.auxiliary.emplace("router", ip("10.0.0.3"));
  AddressPool pool(small);
  EXPECT_EQ(to_string(pool.take()), "10.0.0.2");
  EXPECT_EQ(to_string(pool.take()), "10.0.0.4");
  pool.release(ip("10.0.0.2"));
  EXPECT_EQ(to_string(pool.take()), "10.0.0.2");
  EXPECT_EQ(to_string(pool.take()), "10.0.0.5");
  EXPECT_EQ(to_string(pool.take()), "10.0.0.6");
  EXPECT_THROW(pool.take(), Error);
  EXPECT_EQ(pool.taken(), 4u);
}

TEST(address_pool, looks_only_in_the_ip_range_but_takes_a_certain_one_anywhere_in_the_subnet) {
  AddressRange wide = range("10.0.0.0/16");
  wide.ip_range = *parse_ip_prefix("10.0.5.0/30");
  wide.gateway = ip("10.0.5.1");
  AddressPool pool(wide);
  EXPECT_EQ(to_string(pool.take()), "10.0.5.0");
  EXPECT_EQ(to_string(pool.take()), "10.0.5.2");
  pool.take(ip("10.0.9.9"));
  EXPECT_THROW(pool.take(ip("10.0.9.9")), Error);
  EXPECT_THROW(pool.take(ip("10.0.5.1")), Error);
  EXPECT_THROW(pool.take(ip("10.1.0.1")), Error);
  EXPECT_EQ(pool.taken(), 3u);
}

TEST(address_pool, counts_ipv6_the_same_way) {
  AddressPool pool(range("fd00:1::/64"));
  EXPECT_EQ(to_string(pool.take()), "fd00:1::2");
  EXPECT_EQ(to_string(pool.take()), "fd00:1::3");
}

}  // namespace
}  // namespace quoll::mgr
