#include "api/list_cache.hpp"

#include <gtest/gtest.h>

namespace quoll::api {
namespace {

std::shared_ptr<const std::string> text(std::string value) {
  return std::make_shared<const std::string>(std::move(value));
}

TEST(list_cache, gives_an_answer_within_one_generation_and_second) {
  ListCache cache;
  cache.keep("all=1", 7, 100, text("x"));
  ASSERT_NE(cache.find("all=1", 7, 100), nullptr);
  EXPECT_EQ(*cache.find("all=1", 7, 100), "x");
  EXPECT_EQ(cache.find("all=0", 7, 100), nullptr);
  EXPECT_EQ(cache.find("all=1", 8, 100), nullptr);
  EXPECT_EQ(cache.find("all=1", 7, 101), nullptr);
}

TEST(list_cache, a_newer_generation_drops_the_older_answers) {
  ListCache cache;
  cache.keep("a", 1, 1, text("old"));
  cache.keep("b", 2, 1, text("new"));
  EXPECT_EQ(cache.find("a", 2, 1), nullptr);
  EXPECT_NE(cache.find("b", 2, 1), nullptr);
}

TEST(list_cache, holds_a_bounded_number_of_queries) {
  ListCache cache;
  for (std::size_t query = 0; query <= ListCache::kEntriesMax; ++query)
    cache.keep(std::to_string(query), 1, 1, text("x"));
  EXPECT_EQ(cache.find("0", 1, 1), nullptr);
  EXPECT_NE(cache.find(std::to_string(ListCache::kEntriesMax), 1, 1), nullptr);
}

}  // namespace
}  // namespace quoll::api
