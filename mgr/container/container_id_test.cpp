#include "mgr/container/container_id.hpp"

#include <gtest/gtest.h>

#include <set>

#include "mgr/short_id.hpp"

namespace quoll::mgr {
namespace {

TEST(container_id, is_64_hex_digits_and_never_the_same_twice) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = new_container_id();
    EXPECT_TRUE(is_container_id(id)) << id;
    EXPECT_TRUE(seen.insert(id).second) << id;
  }
}

TEST(container_id, short_form_is_never_a_number) {
  // One id in 281 would have a numeric short form by chance.
  for (int i = 0; i < 5000; ++i) {
    EXPECT_NE(short_id(new_container_id()).find_first_of("abcdef"), std::string::npos);
  }
}

TEST(container_id, refuses_other_lengths_letters_and_capitals) {
  EXPECT_TRUE(is_container_id(std::string(64, '0')));
  EXPECT_FALSE(is_container_id(std::string(63, '0')));
  EXPECT_FALSE(is_container_id(std::string(65, '0')));
  EXPECT_FALSE(is_container_id(std::string(64, 'g')));
  EXPECT_FALSE(is_container_id(std::string(64, 'A')));
  EXPECT_FALSE(is_container_id(""));
}

TEST(container_id, random_below_reaches_every_value_and_not_the_bound) {
  std::set<uint32_t> seen;
  for (int i = 0; i < 2000; ++i) seen.insert(random_below(5));
  EXPECT_EQ(seen, (std::set<uint32_t>{0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace quoll::mgr
