#include "cli/json_stream.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "task/error.hpp"

namespace quoll::cli {
namespace {

std::vector<std::string> drain(JsonStream& stream) {
  std::vector<std::string> objects;
  while (auto object = stream.next()) objects.push_back(*object);
  return objects;
}

TEST(json_stream, objects_need_no_separator) {
  JsonStream stream;
  stream.feed(R"({"a":1}{"b":{"c":2}})");
  EXPECT_EQ(drain(stream), (std::vector<std::string>{R"({"a":1})", R"({"b":{"c":2}})"}));
}

TEST(json_stream, braces_and_quotes_in_strings_are_text) {
  const std::string text = R"({"s":"}\"{\\"})";
  JsonStream stream;
  stream.feed(text);
  EXPECT_EQ(drain(stream), std::vector<std::string>{text});
}

TEST(json_stream, pieces_may_end_anywhere) {
  const std::string text = R"({"s":"\\\"}"}{"t":{}})";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    JsonStream stream;
    stream.feed(text.substr(0, cut));
    std::vector<std::string> objects = drain(stream);
    stream.feed(text.substr(cut));
    for (std::string& object : drain(stream)) objects.push_back(object);
    EXPECT_EQ(objects, (std::vector<std::string>{R"({"s":"\\\"}"})", R"({"t":{}})"})) << cut;
  }
}

TEST(json_stream, an_endless_object_is_refused) {
  JsonStream stream;
  stream.feed("{\"a\":\"");
  const std::string more(64 * 1024, 'x');
  EXPECT_THROW(
      {
        for (int count = 0; count < 100; ++count) {
          stream.feed(more);
          EXPECT_EQ(stream.next(), std::nullopt);
        }
      },
      Error);
}

}  // namespace
}  // namespace quoll::cli
