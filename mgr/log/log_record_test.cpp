#include "mgr/log/log_record.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace quoll::mgr {
namespace {

using Outcome = LogRecordParser::Outcome;
constexpr std::int64_t kTime = 1'700'000'000'000'000'007;

class LogRecordTest : public ::testing::Test {
 protected:
  Outcome parse(std::string line) {
    parsed = std::move(line);
    return parser.parse(parsed, record);
  }

  std::string parsed;  // what record.text points into
  LogRecordParser parser;
  LogRecord record;
};

TEST_F(LogRecordTest, parses_streams_and_tags) {
  ASSERT_EQ(parse("2023-11-14T22:13:20.000000007+00:00 stdout F hello world"), Outcome::kRecord);
  EXPECT_EQ(record.time_ns, kTime);
  EXPECT_EQ(record.stream, LogStream::kStdout);
  EXPECT_FALSE(record.partial);
  EXPECT_EQ(record.text, "hello world");
  ASSERT_EQ(parse("2023-11-14T23:13:20.000000007+01:00 stderr P  two spaces"), Outcome::kRecord);
  EXPECT_EQ(record.time_ns, kTime);
  EXPECT_EQ(record.stream, LogStream::kStderr);
  EXPECT_TRUE(record.partial);
  EXPECT_EQ(record.text, " two spaces");
  ASSERT_EQ(parse("2023-11-14T22:13:20.000000007Z stderr F utc"), Outcome::kRecord);
  EXPECT_EQ(record.time_ns, kTime);
  EXPECT_EQ(record.text, "utc");
}

TEST_F(LogRecordTest, text_is_taken_as_it_is) {
  ASSERT_EQ(parse("2023-11-14T22:13:20.000000007+00:00 stdout F "), Outcome::kRecord);
  EXPECT_EQ(record.text, "");
  ASSERT_EQ(parse("2023-11-14T22:13:20.000000007+00:00 stdout F crlf\r"), Outcome::kRecord);
  EXPECT_EQ(record.text, "crlf\r");
  const std::string nested = "2023-11-14T22:13:21.000000007+00:00 stderr P inner";
  ASSERT_EQ(parse("2023-11-14T22:13:20.000000007+00:00 stdout F " + nested), Outcome::kRecord);
  EXPECT_EQ(record.text, nested);
  EXPECT_EQ(record.stream, LogStream::kStdout);
}

TEST_F(LogRecordTest, every_torn_prefix_of_a_header_is_malformed) {
  const std::string whole = "2023-11-14T22:13:20.000000007+00:00 stdout F ";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(parse(whole.substr(0, size)), Outcome::kMalformed) << size;
  }
  EXPECT_EQ(parse(whole), Outcome::kRecord);
}

TEST_F(LogRecordTest, garbage_is_malformed) {
  for (const char* line :
       {"hello", "2023-11-14T22:13:20.000000007+00:00 stdout X text",
        "2023-11-14T22:13:20.000000007+00:00 stdin  F text", "2023-11-14T22:13:20.000000007+00:00 stdout Ftext",
        "2023-11-14T22:13:20.000000007+00:00  stdout F text",
        "2023-11-14T22:13:20.00000000Z stdout F text that is long enough", "2023-11-14T22:13:20+00:00 stdout F short",
        "                                    stdout F text", " std std std std std std std std std std std std std"}) {
    EXPECT_EQ(parse(line), Outcome::kMalformed) << line;
  }
}

TEST_F(LogRecordTest, a_record_behind_a_torn_one_is_found) {
  const std::string good = "2023-11-14T22:13:20.000000007+00:00 stderr F found";
  for (const std::string& before : {std::string("2023-11-14T22:13:"), std::string(4096, '\0'), std::string("x std y"),
                                    std::string("2023-11-14T22:13:20.000000003+00:00 stdou")}) {
    ASSERT_EQ(parse(before + good), Outcome::kRepaired) << before;
    EXPECT_EQ(record.text, "found");
    EXPECT_EQ(record.stream, LogStream::kStderr);
    EXPECT_EQ(record.time_ns, kTime);
  }
}

}  // namespace
}  // namespace quoll::mgr
