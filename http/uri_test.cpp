#include "http/uri.hpp"

#include <gtest/gtest.h>

#include "http/fields.hpp"

namespace quoll::http {
namespace {

TEST(uri, decodes_percent_codes_and_refuses_broken_ones) {
  EXPECT_EQ(percent_decode("/a%2Fb%20c+d", false), "/a/b c+d");
  EXPECT_EQ(percent_decode("a+b%2b", true), "a b+");
  for (const char* const broken : {"%", "%2", "a%zz", "%-1", "a%00b"}) {
    EXPECT_EQ(percent_decode(broken, false), std::nullopt) << broken;
  }
}

TEST(uri, encoding_is_undone_by_decoding) {
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all), false), all);
  EXPECT_EQ(percent_encode("a/b c"), "a%2Fb%20c");
  EXPECT_EQ(percent_encode("a/b c", true), "a/b%20c");
}

TEST(uri, finds_query_values_by_decoded_name) {
  const std::string_view query = "a=1&b=x%20y&a=2&flag&na%6De=v&=none&bad=%zz";
  EXPECT_EQ(query_value(query, "a"), "1");
  EXPECT_EQ(query_value(query, "b"), "x y");
  EXPECT_EQ(query_value(query, "flag"), "");
  EXPECT_EQ(query_value(query, "name"), "v");
  EXPECT_EQ(query_value(query, "bad"), "%zz");
  EXPECT_EQ(query_value(query, "absent"), std::nullopt);
  EXPECT_EQ(query_values(query, "a"), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(query_value("", "a"), std::nullopt);
}

TEST(uri, reads_dockers_booleans) {
  for (const char* const no : {"", "0", "no", "No", "false", "FALSE", "none"}) EXPECT_FALSE(docker_bool(no)) << no;
  for (const char* const yes : {"1", "true", "True", "yes", "on", "anything"}) EXPECT_TRUE(docker_bool(yes)) << yes;
}

TEST(fields, are_found_in_any_case_and_counted) {
  Fields fields;
  fields.add("Host", "a");
  fields.add("X-Thing", "1");
  fields.add("x-thing", "2");
  EXPECT_EQ(fields.get("HOST"), "a");
  EXPECT_EQ(fields.get("x-THING"), "1");
  EXPECT_EQ(fields.count("X-thing"), 2u);
  EXPECT_FALSE(fields.has("X-Thin"));
  EXPECT_EQ(fields.get("absent"), "");
  fields.clear();
  EXPECT_EQ(fields.size(), 0u);
}

TEST(fields, tokens_of_a_list_are_compared_whole) {
  EXPECT_TRUE(has_token("keep-alive,\tUpgrade ", "upgrade"));
  EXPECT_FALSE(has_token("upgraded, notupgrade", "upgrade"));
  EXPECT_FALSE(has_token("", "upgrade"));
}

}  // namespace
}  // namespace quoll::http
