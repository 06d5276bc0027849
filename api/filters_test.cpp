#include "api/filters.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::api {
namespace {

TEST(filters, takes_lists_and_objects) {
  const Filters list(R"({"name": ["a", "b"]})", {"name"});
  EXPECT_TRUE(list.allows("name", "a"));
  EXPECT_FALSE(list.allows("name", "c"));
  const Filters object(R"({"name": {"a": true, "b": false}})", {"name"});
  EXPECT_TRUE(object.allows("name", "a"));
  EXPECT_FALSE(object.allows("name", "b"));
}

TEST(filters, an_absent_key_allows_everything) {
  for (const char* text : {"", "{}", R"({"name": []})"}) {
    EXPECT_TRUE(Filters(text, {"name"}).allows("name", "x")) << text;
  }
  EXPECT_TRUE(Filters(std::nullopt, {}).allows("name", "x"));
}

TEST(filters, refuses_what_is_malformed_or_unknown) {
  for (const char* text :
       {"[", "[]", "1", R"({"name": 1})", R"({"name": [1]})", R"({"name": {"a": 1}})", R"({"nam": ["a"]})"}) {
    EXPECT_THROW(Filters(text, {"name"}), Error) << text;
  }
}

TEST(filters, all_labels_must_fit) {
  const std::map<std::string, std::string> labels{{"a", "1"}, {"b", ""}};
  EXPECT_TRUE(Filters(R"({"label": ["a"]})", {"label"}).match_labels(labels));
  EXPECT_TRUE(Filters(R"({"label": ["a=1", "b"]})", {"label"}).match_labels(labels));
  EXPECT_FALSE(Filters(R"({"label": ["a=2"]})", {"label"}).match_labels(labels));
  EXPECT_FALSE(Filters(R"({"label": ["a", "c"]})", {"label"}).match_labels(labels));
}

}  // namespace
}  // namespace quoll::api
