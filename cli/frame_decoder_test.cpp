#include "cli/frame_decoder.hpp"

#include <gtest/gtest.h>

#include <string>

#include "cli/test_support.hpp"
#include "task/error.hpp"

namespace quoll::cli {
namespace {

struct Streams {
  std::string out;
  std::string error;
  FrameDecoder::Sink sink() {
    return
        [this](FrameStream stream, std::string_view bytes) { (stream == FrameStream::kStderr ? error : out) += bytes; };
  }
};

TEST(frame_decoder, streams_are_told_apart) {
  FrameDecoder decoder;
  Streams streams;
  decoder.feed(frame(1, "one\n") + frame(2, "oops\n") + frame(1, "two\n"), streams.sink());
  EXPECT_EQ(streams.out, "one\ntwo\n");
  EXPECT_EQ(streams.error, "oops\n");
  EXPECT_TRUE(decoder.at_boundary());
}

// Goal: pieces may end anywhere. Method: every pair of cuts of a stream with an empty frame and a payload that looks
// like a header.
TEST(frame_decoder, frames_may_be_cut_at_any_byte) {
  const std::string bytes = frame(1, "a") + frame(2, "") + frame(2, frame(1, "x")) + frame(1, "bc\n");
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      FrameDecoder decoder;
      Streams streams;
      decoder.feed(std::string_view(bytes).substr(0, first), streams.sink());
      decoder.feed(std::string_view(bytes).substr(first, second - first), streams.sink());
      decoder.feed(std::string_view(bytes).substr(second), streams.sink());
      ASSERT_EQ(streams.out, "abc\n") << first << ", " << second;
      ASSERT_EQ(streams.error, frame(1, "x")) << first << ", " << second;
      ASSERT_TRUE(decoder.at_boundary());
    }
  }
}

TEST(frame_decoder, a_payload_is_handed_on_before_it_is_whole) {
  FrameDecoder decoder;
  Streams streams;
  const std::string bytes = frame(1, "abcdef");
  decoder.feed(std::string_view(bytes).substr(0, 11), streams.sink());
  EXPECT_EQ(streams.out, "abc");
  EXPECT_FALSE(decoder.at_boundary());
}

TEST(frame_decoder, lengths_are_32_bits_big_endian) {
  FrameDecoder decoder;
  Streams streams;
  const std::string payload(0x010203, 'x');
  decoder.feed(frame(1, payload), streams.sink());
  EXPECT_EQ(streams.out.size(), payload.size());
  EXPECT_TRUE(decoder.at_boundary());
}

TEST(frame_decoder, half_a_header_is_no_boundary) {
  FrameDecoder decoder;
  Streams streams;
  decoder.feed(std::string("\1\0\0", 3), streams.sink());
  EXPECT_FALSE(decoder.at_boundary());
}

TEST(frame_decoder, what_is_no_frame_is_refused) {
  Streams streams;
  EXPECT_THROW(FrameDecoder().feed("plain text\n", streams.sink()), Error);
  EXPECT_THROW(FrameDecoder().feed(frame(4, "x"), streams.sink()), Error);
  EXPECT_EQ(streams.out, "");
}

}  // namespace
}  // namespace quoll::cli
