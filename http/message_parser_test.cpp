#include "http/message_parser.hpp"

#include <gtest/gtest.h>

namespace quoll::http {
namespace {

constexpr std::size_t kHeadMax = 1024;

// Feeds `text` in pieces of `piece` bytes, as a connection does; the status of its refusal, or 0.
template <bool kIsRequest>
int parse_in_pieces(MessageParser<kIsRequest>& parser, const std::string& text, std::size_t piece, std::string* body) {
  std::string held;
  std::size_t fed = 0;
  while (!parser.done() && parser.failure().status == 0) {
    std::size_t taken = 0;
    std::size_t produced = 0;
    if (!parser.head_done()) {
      taken = parser.parse_head(held);
    } else {
      char out[7];  // odd, so that pieces of the body are cut everywhere
      taken = parser.parse_body(held, out, &produced);
      body->append(out, produced);
    }
    held.erase(0, taken);
    if (taken > 0 || produced > 0) continue;
    if (fed == text.size()) break;
    const std::size_t count = std::min(piece, text.size() - fed);
    held.append(text, fed, count);
    fed += count;
  }
  return parser.failure().status;
}

int status_for(const std::string& text) {
  MessageHead head;
  RequestParser parser(head, kHeadMax);
  std::string body;
  return parse_in_pieces(parser, text, text.size(), &body);
}

TEST(message_parser, gives_the_same_however_the_bytes_are_cut) {
  const std::string text =
      "POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Long:  folded value \r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;ext=1\r\nhello\r\n1\r\n \r\n00b\r\nwide worlds\r\n0\r\nX-Trailer: t\r\n\r\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    MessageHead head;
    Fields trailers;
    head.trailers = &trailers;
    RequestParser parser(head, kHeadMax);
    std::string body;
    ASSERT_EQ(parse_in_pieces(parser, text, piece, &body), 0) << piece;
    ASSERT_TRUE(parser.done()) << piece;
    EXPECT_EQ(body, "hello wide worlds") << piece;
    EXPECT_EQ(head.text, "POST/a?b=c");
    EXPECT_EQ(head.method_size, 4u);
    EXPECT_EQ(head.fields.size(), 3u);
    EXPECT_EQ(head.fields.get("x-long"), "folded value");
    EXPECT_EQ(trailers.get("x-trailer"), "t");
  }
}

TEST(message_parser, leaves_what_follows_the_message) {
  MessageHead head;
  RequestParser parser(head, kHeadMax);
  const std::string first = "\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";
  const std::string text = first + "abcGET /next";
  EXPECT_EQ(parser.parse_head(text), first.size());
  char out[16];
  std::size_t produced = 0;
  EXPECT_EQ(parser.parse_body(text.substr(first.size()), out, &produced), 3u);
  EXPECT_EQ(std::string_view(out, produced), "abc");
  EXPECT_TRUE(parser.done());
}

TEST(message_parser, refuses_what_is_malformed) {
  struct Case {
    const char* text;
    int status;
  };
  const Case cases[] = {
      {"\x16\x03\x01 TLS\r\n\r\n", 400},
      {"G@T / HTTP/1.1\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / HTTP/1.1\n\n", 400},
      {"GET / FTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1 x\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET / HTTP/0.9\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\nNo colon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nSpace : x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: x\ry\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: \x01\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXXXX", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", 400},
  };
  for (const Case& each : cases) EXPECT_EQ(status_for(each.text), each.status) << each.text;
}

TEST(message_parser, bounds_the_head_however_it_arrives) {
  std::string text = "GET / HTTP/1.1\r\n";
  while (text.size() <= kHeadMax) text += "X-Filler: 0123456789\r\n";
  text += "\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, text.size()}) {
    MessageHead head;
    RequestParser parser(head, kHeadMax);
    std::string body;
    EXPECT_EQ(parse_in_pieces(parser, text, piece, &body), 431) << piece;
  }
  EXPECT_EQ(status_for("GET /" + std::string(kHeadMax, 'a') + " HTTP/1.1\r\n\r\n"), 431);
}

TEST(message_parser, reads_answers_to_the_end_of_input) {
  MessageHead head;
  ResponseParser parser(head, kHeadMax);
  std::string body;
  EXPECT_EQ(parse_in_pieces(parser, "HTTP/1.0 200 Fine\r\nA: b\r\n\r\nbytes", 3, &body), 0);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.text, "Fine");
  EXPECT_EQ(body, "bytes");
  EXPECT_FALSE(parser.done());
  EXPECT_TRUE(parser.end_of_input());
}

TEST(message_parser, an_answer_cut_short_is_not_complete) {
  MessageHead head;
  ResponseParser parser(head, kHeadMax);
  std::string body;
  parse_in_pieces(parser, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbytes", 3, &body);
  EXPECT_FALSE(parser.end_of_input());
}

}  // namespace
}  // namespace quoll::http
