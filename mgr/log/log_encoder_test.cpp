#include "mgr/log/log_encoder.hpp"

#include <gtest/gtest.h>

#include <string>

#include "mgr/log/log_test_support.hpp"

namespace quoll::mgr {
namespace {

using log_test::both_streams;
using log_test::err_line;
using log_test::err_piece;
using log_test::kSecond;
using log_test::kStart;
using log_test::out_line;
using log_test::out_piece;
using log_test::record;

std::string frame(char stream, std::string_view payload) {
  std::string bytes{stream, 0, 0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(payload.size() >> shift & 0xff);
  return bytes.append(payload);
}

std::string encode(LogEncoder& encoder, std::string_view records) {
  LogBytes out;
  encoder.encode(records, out);
  return std::string(out.view());
}

std::string encode(const LogFilter& filter, LogFraming framing, std::string_view records) {
  LogEncoder encoder(filter, framing);
  return encode(encoder, records);
}

TEST(log_encoder, a_record_is_a_frame) {
  const std::string records = out_line(0, "one") + err_line(0, "two") + out_line(1, "");
  EXPECT_EQ(encode(both_streams(), LogFraming::kMultiplexed, records),
            frame(1, "one\n") + frame(2, "two\n") + frame(1, "\n"));
}

TEST(log_encoder, frame_length_is_big_endian) {
  const std::string text(70'000, 'x');
  EXPECT_EQ(encode(both_streams(), LogFraming::kMultiplexed, out_line(0, text)).substr(0, 8),
            std::string({1, 0, 0, 0, 0, 1, 0x11, 0x71}));
}

TEST(log_encoder, pieces_end_without_newline) {
  const std::string records = out_piece(0, "one ") + err_line(0, "between") + out_line(0, "line");
  EXPECT_EQ(encode(both_streams(), LogFraming::kMultiplexed, records),
            frame(1, "one ") + frame(2, "between\n") + frame(1, "line\n"));
}

TEST(log_encoder, empty_piece_makes_no_frame) {
  EXPECT_EQ(encode(both_streams(), LogFraming::kMultiplexed, out_piece(0, "") + out_line(0, "x")), frame(1, "x\n"));
}

TEST(log_encoder, terminal_output_is_raw_and_keeps_carriage_returns) {
  const std::string records = out_line(0, "one\r") + out_piece(0, "prompt> ") + out_line(1, "\r");
  EXPECT_EQ(encode(both_streams(), LogFraming::kRaw, records), "one\r\nprompt> \r\n");
}

TEST(log_encoder, unwanted_streams_are_left_out) {
  const std::string records = out_line(0, "out") + err_line(0, "err");
  LogFilter filter;
  EXPECT_EQ(encode(filter, LogFraming::kMultiplexed, records), "");
  filter.stderr_wanted = true;
  EXPECT_EQ(encode(filter, LogFraming::kMultiplexed, records), frame(2, "err\n"));
  EXPECT_EQ(encode(filter, LogFraming::kRaw, records), "err\n");
}

TEST(log_encoder, timestamps_stand_at_line_starts_of_each_stream) {
  LogFilter filter = both_streams();
  filter.timestamps = true;
  const std::string records =
      out_piece(0, "a") + err_piece(1, "x") + out_line(2, "b") + err_line(3, "y") + out_line(4, "c");
  EXPECT_EQ(encode(filter, LogFraming::kMultiplexed, records),
            frame(1, "2023-11-14T22:13:20.000000000Z a") + frame(2, "2023-11-14T22:13:21.000000000Z x") +
                frame(1, "b\n") + frame(2, "y\n") + frame(1, "2023-11-14T22:13:24.000000000Z c\n"));
  EXPECT_EQ(encode(filter, LogFraming::kRaw, out_line(0, "tty\r")), "2023-11-14T22:13:20.000000000Z tty\r\n");
}

TEST(log_encoder, timestamps_are_given_in_utc) {
  LogFilter filter = both_streams();
  filter.timestamps = true;
  EXPECT_EQ(encode(filter, LogFraming::kRaw, "2023-11-15T00:13:20.137589767+02:00 stdout F x\n"),
            "2023-11-14T22:13:20.137589767Z x\n");
}

TEST(log_encoder, line_state_is_carried_across_calls_and_encoders) {
  LogFilter filter = both_streams();
  filter.timestamps = true;
  LogEncoder first(filter, LogFraming::kRaw);
  encode(first, out_piece(0, "a"));
  EXPECT_EQ(encode(first, out_piece(0, "b")), "b");
  EXPECT_EQ(first.partial(), (PartialLines{true, false}));
  LogEncoder second(filter, LogFraming::kRaw, first.partial());
  EXPECT_EQ(encode(second, out_line(0, "c") + out_line(0, "d")), "c\n2023-11-14T22:13:20.000000000Z d\n");
  EXPECT_EQ(second.partial(), PartialLines());
}

TEST(log_encoder, first_piece_that_is_given_has_its_timestamp) {
  LogFilter filter = both_streams();
  filter.timestamps = true;
  filter.since_ns = kStart + kSecond;
  EXPECT_EQ(encode(filter, LogFraming::kRaw, out_piece(0, "dropped ") + out_line(1, "kept")),
            "2023-11-14T22:13:21.000000000Z kept\n");
}

TEST(log_encoder, since_is_inclusive_to_the_nanosecond) {
  LogFilter filter = both_streams();
  filter.since_ns = kStart + 5;
  const std::string records =
      record(kStart + 4, "stdout F", "4") + record(kStart + 5, "stdout F", "5") + record(kStart + 6, "stdout F", "6");
  EXPECT_EQ(encode(filter, LogFraming::kRaw, records), "5\n6\n");
}

TEST(log_encoder, until_is_inclusive_to_the_nanosecond_and_ends_the_output) {
  LogFilter filter = both_streams();
  filter.until_ns = kStart + 5;
  LogEncoder encoder(filter, LogFraming::kRaw);
  EXPECT_EQ(encode(encoder, record(kStart + 4, "stdout F", "4") + record(kStart + 5, "stdout F", "5")), "4\n5\n");
  EXPECT_FALSE(encoder.until_passed());
  EXPECT_EQ(encode(encoder, record(kStart + 6, "stdout F", "6") + record(kStart + 5, "stdout F", "late")), "");
  EXPECT_TRUE(encoder.until_passed());
  EXPECT_EQ(encode(encoder, record(kStart, "stdout F", "more")), "");
}

TEST(log_encoder, until_is_passed_by_a_record_of_an_unwanted_stream) {
  LogFilter filter;
  filter.stdout_wanted = true;
  filter.until_ns = kStart;
  LogEncoder encoder(filter, LogFraming::kRaw);
  encode(encoder, err_line(1, "later"));
  EXPECT_TRUE(encoder.until_passed());
}

TEST(log_encoder, garbage_is_counted_and_skipped) {
  LogEncoder encoder(both_streams(), LogFraming::kRaw);
  const std::string torn = out_line(0, "never");
  EXPECT_EQ(
      encode(encoder, out_line(0, "a") + "garbage\n\n" + torn.substr(0, 20) + out_line(1, "b") + out_line(2, "c")),
      "a\nb\nc\n");
  EXPECT_EQ(encoder.malformed(), 3U);
}

TEST(log_encoder, appends_and_reuses_its_buffer) {
  LogEncoder encoder(both_streams(), LogFraming::kRaw);
  LogBytes out;
  encoder.encode(out_line(0, "a"), out);
  encoder.encode(out_line(0, std::string(1000, 'b')), out);
  EXPECT_EQ(out.view(), "a\n" + std::string(1000, 'b') + "\n");
  const char* const before = out.view().data();
  out.clear();
  EXPECT_TRUE(out.empty());
  encoder.encode(out_line(0, "c"), out);
  EXPECT_EQ(out.view(), "c\n");
  EXPECT_EQ(out.view().data(), before);
}

// The encoder writes into room of its input's size, so the worst ratio must still fit: shortest header, nothing or one
// byte of text, frame and timestamp before it. Under ASan an overrun is seen at its byte.
TEST(log_encoder, output_is_never_longer_than_its_input) {
  LogFilter filter = both_streams();
  filter.timestamps = true;
  std::string records;
  for (int i = 0; i < 100; ++i) {
    records += "2023-11-14T22:13:20.137589767Z stdout F \n2023-11-14T22:13:20.137589767Z stderr F x\n";
  }
  const std::string out = encode(filter, LogFraming::kMultiplexed, records);
  EXPECT_LE(out.size(), records.size());
  EXPECT_EQ(out.size(), 100U * (8 + 31 + 1 + 8 + 31 + 2));
}

TEST(log_encoder, sixteen_mebibytes_in_pieces_are_one_line) {
  const std::string piece(8192, 'x');
  LogFilter filter = both_streams();
  filter.timestamps = true;
  LogEncoder encoder(filter, LogFraming::kRaw);
  LogBytes out;
  for (int i = 0; i < 2048; ++i) encoder.encode(out_piece(i, piece), out);
  encoder.encode(out_line(2048, ""), out);
  ASSERT_EQ(out.size(), kTimestampBytes + 1 + 2048 * piece.size() + 1);
  EXPECT_EQ(out.view().find_first_not_of('x', kTimestampBytes + 1), out.size() - 1);
  EXPECT_EQ(out.view().back(), '\n');
}

}  // namespace
}  // namespace quoll::mgr
