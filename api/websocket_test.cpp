#include "api/websocket.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::api {
namespace {

std::string masked(std::uint8_t first, const std::string& payload) {
  std::string frame = websocket_frame_head(first & 0x0f, payload.size());
  frame[0] = static_cast<char>(first);
  frame[1] = static_cast<char>(frame[1] | 0x80);
  frame += "abcd";
  for (std::size_t at = 0; at < payload.size(); ++at) frame += static_cast<char>(payload[at] ^ "abcd"[at % 4]);
  return frame;
}

TEST(websocket, accepts_the_key_of_the_standards_example) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(websocket, lengths_are_of_three_forms) {
  EXPECT_EQ(websocket_frame_head(2, 125), "\x82\x7d");
  EXPECT_EQ(websocket_frame_head(2, 300), std::string("\x82\x7e\x01\x2c"));
  EXPECT_EQ(websocket_frame_head(2, 65536), std::string("\x82\x7f\0\0\0\0\0\1\0\0", 10));
}

TEST(websocket, data_comes_out_however_it_is_cut) {
  const std::string bytes = masked(0x82, std::string(70'000, 'x')) + masked(0x01, "he") + masked(0x80, "llo") +
                            masked(0x82, "") + masked(0x89, "ping") + masked(0x88, "\x03\xe8");
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
    WebSocketDecoder decoder;
    std::string data, replies;
    bool open = true;
    for (std::size_t at = 0; at < bytes.size(); at += step) open = decoder.feed(bytes.substr(at, step), data, replies);
    EXPECT_FALSE(open);
    EXPECT_TRUE(data == std::string(70'000, 'x') + "hello");
    EXPECT_EQ(replies, "\x8a\x04ping\x88\x02\x03\xe8");
  }
}

TEST(websocket, what_a_client_may_not_send_is_refused) {
  for (const std::string& frame : {std::string("\x82\x01x\0\0\0\0", 7), masked(0x83, "x"), masked(0xc2, "x"),
                                   masked(0x09, "cut"), masked(0x89, std::string(126, 'x'))}) {
    WebSocketDecoder decoder;
    std::string data, replies;
    EXPECT_THROW(decoder.feed(frame, data, replies), Error);
  }
}

}  // namespace
}  // namespace quoll::api
