#include "api/filters.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

TEST(filters, a_name_is_matched_as_an_expression_or_as_itself) {
  const auto matches = [](const char* wanted, const char* text) {
    return Filters(nlohmann::json{{"name", {wanted}}}.dump(), {"name"}).matches("name", text);
  };
  EXPECT_TRUE(matches("eb", "web-1"));
  EXPECT_TRUE(matches("^web-[0-9]+$", "web-1"));
  EXPECT_FALSE(matches("^eb", "web-1"));
  EXPECT_FALSE(matches("^web$", "web-1"));
  EXPECT_TRUE(matches("we(b", "we(b"));
  EXPECT_FALSE(matches("we(b", "web"));
  EXPECT_TRUE(Filters("{}", {"name"}).matches("name", "x"));
}

TEST(filters, a_flag_is_true_or_false) {
  const auto flag = [](const char* value) { return Filters(nlohmann::json{{"f", {value}}}.dump(), {"f"}).flag("f"); };
  EXPECT_EQ(flag("true"), true);
  EXPECT_EQ(flag("1"), true);
  EXPECT_EQ(flag("false"), false);
  EXPECT_EQ(flag("0"), false);
  EXPECT_EQ(Filters("{}", {"f"}).flag("f"), std::nullopt);
  EXPECT_THROW(flag("maybe"), Error);
}

TEST(filters, all_labels_must_fit) {
  const std::map<std::string, std::string> labels{{"a", "1"}, {"b", ""}};
  EXPECT_TRUE(Filters(R"({"label": ["a"]})", {"label"}).match_labels(labels));
  EXPECT_TRUE(Filters(R"({"label": ["a=1", "b"]})", {"label"}).match_labels(labels));
  EXPECT_FALSE(Filters(R"({"label": ["a=2"]})", {"label"}).match_labels(labels));
  EXPECT_FALSE(Filters(R"({"label": ["a", "c"]})", {"label"}).match_labels(labels));
}

TEST(filters, labels_may_be_unwanted) {
  const std::map<std::string, std::string> labels{{"a", "1"}};
  EXPECT_FALSE(Filters(R"({"label!": ["a"]})", {"label!"}).match_labels(labels));
  EXPECT_FALSE(Filters(R"({"label!": ["a=1"]})", {"label!"}).match_labels(labels));
  EXPECT_TRUE(Filters(R"({"label!": ["a=2", "b"]})", {"label!"}).match_labels(labels));
}

TEST(filters, until_is_a_time_or_a_duration) {
  constexpr std::int64_t kNow = 1'700'000'000'000'000'000;
  const auto until = [](const std::string& text) {
    return Filters("{\"until\": [\"" + text + "\"]}", {"until"}).until_ns(kNow);
  };
  EXPECT_EQ(Filters("{}", {"until"}).until_ns(kNow), std::nullopt);
  EXPECT_EQ(until("1h30m"), kNow - 5'400'000'000'000);
  EXPECT_EQ(until("1.5s"), kNow - 1'500'000'000);
  EXPECT_EQ(until("1600000000"), 1'600'000'000'000'000'000);
  EXPECT_EQ(until("2023-01-02"), 1'672'617'600'000'000'000);
  EXPECT_EQ(until("2023-01-02T00:00:01"), 1'672'617'601'000'000'000);
  EXPECT_EQ(until("2023-01-02T00:00:01+01:00"), 1'672'614'001'000'000'000);
  for (const char* text : {"x", "1x", "h", "1h30"}) EXPECT_THROW(until(text), Error) << text;
  EXPECT_THROW(Filters(R"({"until": ["1h", "2h"]})", {"until"}).until_ns(kNow), Error);
}

}  // namespace
}  // namespace quoll::api
