#include "mgr/log/timestamp.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

std::int64_t query(std::string_view text) { return parse_query_time("since", text); }

TEST(timestamp, reads_rfc3339_with_any_offset_and_fraction) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_rfc3339("2023-11-14T22:13:20.123456789Z"), 1'700'000'000 * kSecond + 123'456'789);
  EXPECT_EQ(parse_rfc3339("2023-11-14T23:13:20.5+01:00"), 1'700'000'000 * kSecond + 500'000'000);
  EXPECT_EQ(parse_rfc3339("2023-11-14T16:43:20-05:30"), 1'700'000'000 * kSecond);
  EXPECT_EQ(parse_rfc3339("2023-11-14 22:13:20.1234567899z"), 1'700'000'000 * kSecond + 123'456'789);
  EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z"), 1'709'164'800 * kSecond);
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), 1'483'228'800 * kSecond);
  EXPECT_EQ(parse_rfc3339("1969-12-31T23:59:59.999999999Z"), -1);
}

TEST(timestamp, refuses_what_is_no_rfc3339) {
  for (const char* text :
       {"", "2023", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20.1",
        "2023-13-14T22:13:20Z", "2023-02-29T22:13:20Z", "2023-11-14T24:13:20Z", "2023-11-14T22:60:20Z",
        "2023-11-14T22:13:61Z", "2023-11-14T22:13:20Zx", "2023-11-14T22:13:20+1:00", "2023-11-14T22:13:20+01:60",
        "2023-11-14T22:13:20+24:00", "2023-1-014T22:13:20Z", "2023-11-14T22:13:20+0100"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(timestamp, holds_times_beyond_the_range_at_its_ends) {
  EXPECT_EQ(parse_rfc3339("9999-12-31T23:59:59Z"), kMax);
  EXPECT_EQ(parse_rfc3339("0001-01-01T00:00:00Z"), kMin);
  EXPECT_EQ(query("253402300799"), kMax);
  EXPECT_EQ(query("99999999999999999999999999999999.5"), kMax);
  EXPECT_EQ(query("-99999999999999999999"), kMin);
}

TEST(timestamp, reads_query_forms) {
  EXPECT_EQ(query("0"), 0);
  EXPECT_EQ(query("1700000000"), 1'700'000'000 * kSecond);
  EXPECT_EQ(query("1700000000.123456789"), 1'700'000'000 * kSecond + 123'456'789);
  EXPECT_EQ(query("1700000000.000000001"), 1'700'000'000 * kSecond + 1);
  EXPECT_EQ(query("1700000000.5"), 1'700'000'000 * kSecond + 500'000'000);
  EXPECT_EQ(query("1700000000.1234567891"), 1'700'000'000 * kSecond + 123'456'789);
  EXPECT_EQ(query("-1.5"), -1'500'000'000);
  EXPECT_EQ(query("2023-11-14T22:13:20Z"), 1'700'000'000 * kSecond);
}

TEST(timestamp, a_malformed_query_is_an_invalid_argument_that_names_it) {
  for (const char* text : {"", "x", "1700000000.", ".5", "17000x", "1700000000.5s", "10m", "-", "--1", "1 ", "+1",
                           "2023-11-14T22:13:20"}) {
    try {
      query(text);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
      EXPECT_NE(error.message().find("since"), std::string::npos);
      EXPECT_NE(error.message().find("\"" + std::string(text) + "\""), std::string::npos);
    }
  }
}

TEST(timestamp, formats_with_nine_digits_in_utc) {
  EXPECT_EQ(format_timestamp(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(format_timestamp(1'700'000'000 * kSecond + 12), "2023-11-14T22:13:20.000000012Z");
  EXPECT_EQ(format_timestamp(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(format_timestamp(kMax), "2262-04-11T23:47:16.854775807Z");
  EXPECT_EQ(format_timestamp(kMin), "1677-09-21T00:12:43.145224192Z");
}

// Goal: what is kept between calls never leaks into another second. Method: neighbouring and far times in turn, forth
// and back, against formatters and parsers that remember nothing.
TEST(timestamp, kept_seconds_do_not_leak) {
  TimestampFormatter formatter;
  TimestampParser parser;
  const std::int64_t start = 1'700'000'000 * kSecond;
  for (const std::int64_t time : {start, start + 1, start + kSecond - 1, start + kSecond, start - 1, start, kMin, kMax,
                                  std::int64_t{0}, std::int64_t{-1}, std::int64_t{-kSecond}, start + 86400 * kSecond}) {
    std::string text(kTimestampBytes, '\0');
    formatter.format(time, text.data());
    EXPECT_EQ(text, format_timestamp(time));
    EXPECT_EQ(parse_rfc3339(text), time);
    text.replace(29, 1, "+00:00");
    if (time != kMin && time != kMax) {
      EXPECT_EQ(parser.parse_fixed(text.data()), time);
    }
  }
}

TEST(timestamp, fixed_parser_sees_offset_changes_within_a_second) {
  TimestampParser parser;
  EXPECT_EQ(parser.parse_fixed("2023-11-14T22:13:20.000000007+00:00"), 1'700'000'000 * kSecond + 7);
  EXPECT_EQ(parser.parse_fixed("2023-11-14T22:13:20.000000007+01:00"), (1'700'000'000 - 3600) * kSecond + 7);
  EXPECT_EQ(parser.parse_fixed("2023-11-14T22:13:20.000000007-00:30"), (1'700'000'000 + 1800) * kSecond + 7);
}

TEST(timestamp, fixed_parser_refuses_each_damaged_byte) {
  const std::string good = "2023-11-14T22:13:20.123456789+00:00";
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string damaged = good;
    damaged[at] = 'x';
    TimestampParser fresh;
    EXPECT_FALSE(fresh.parse_fixed(damaged.data())) << damaged;
    TimestampParser warm;
    ASSERT_TRUE(warm.parse_fixed(good.data()));
    EXPECT_FALSE(warm.parse_fixed(damaged.data())) << damaged;
    EXPECT_TRUE(warm.parse_fixed(good.data()));
  }
}

TEST(timestamp, nine_digits_refuses_neighbours_of_digits) {
  EXPECT_EQ(parse_nine_digits("000000000"), 0);
  EXPECT_EQ(parse_nine_digits("999999999"), 999'999'999);
  for (std::size_t at = 0; at < 9; ++at) {
    for (const char wrong : {'/', ':', ' ', '\0', '\xff', '@', 'p'}) {
      std::string text = "123456789";
      text[at] = wrong;
      EXPECT_LT(parse_nine_digits(text.data()), 0) << at << " " << int{wrong};
    }
  }
}

}  // namespace
}  // namespace quoll::mgr
