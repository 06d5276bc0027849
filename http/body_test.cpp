// Request bodies: lengths, chunks, 100-continue, limits, and what stays unread.
#include "http/status.hpp"
#include "http/test_support.hpp"
#include "task/timer.hpp"

namespace quoll::http {
namespace {

constexpr std::size_t kLimit = 1 << 20;

task::Task<void> echo(Request& request, Response& response) {
  const std::string body = co_await request.read_body_all(kLimit);
  co_await response.send(body, "text/plain");
}

// The same in pieces of five bytes, suspending in between so that the watch does the reading.
task::Task<void> echo_in_pieces(Request& request, Response& response) {
  co_await task::yield();
  std::string body;
  char piece[5];
  while (const std::size_t count = co_await request.read_body(piece)) {
    body.append(piece, count);
    if (body.size() % 3 == 0) co_await task::yield();
  }
  co_await response.send(body, "text/plain");
}

task::Task<void> count_bytes(Request& request, Response& response) {
  std::size_t total = 0;
  std::string block(64 * 1024, '\0');
  while (const std::size_t count = co_await request.read_body(block)) total += count;
  co_await response.send(std::to_string(total), "text/plain");
}

task::Task<void> echo_lent(Request& request, Response& response) {
  const std::string body = co_await read_lent(request, kLimit);
  co_await response.send(body, "text/plain");
}

task::Task<void> echo_lent_in_place(Request& request, Response& response) {
  const std::string body = co_await read_lent(request, kLimit, 256 * 1024);
  co_await response.send(body, "text/plain");
}

task::Task<void> count_lent(Request& request, Response& response) {
  const std::string body = co_await read_lent(request, 1 << 30);
  co_await response.send(std::to_string(body.size()), "text/plain");
}

task::Task<void> ignore_body(Request&, Response& response) { co_await response.send("ignored", "text/plain"); }

task::Task<void> stop_early(Request& request, Response& response) {
  char piece[3];
  co_await request.read_body(piece);
  co_await response.send("enough", "text/plain");
}

class body : public testing::TestWithParam<Transport> {
 protected:
  body() {
    server_.route("POST", "/echo", echo);
    server_.route("POST", "/pieces", echo_in_pieces);
    server_.route("POST", "/run-to-end", echo_in_pieces, CancelPolicy::kRunToEnd);
    server_.route("POST", "/lent", echo_lent);
    server_.route("POST", "/in-place", echo_lent_in_place);
    server_.route("POST", "/lent-to-end", echo_lent, CancelPolicy::kRunToEnd);
    server_.route("POST", "/count", count_bytes);
    server_.route("POST", "/count-lent", count_lent);
    server_.route("POST", "/ignore", ignore_body);
    server_.route("POST", "/early", stop_early);
    server_.start();
  }
  RawClient connect() { return server_.connect(GetParam()); }

  TestServer server_;
};
INSTANTIATE_TEST_SUITE_P(transports, body, testing::Values(Transport::kTcp, Transport::kUnix),
                         [](const auto& info) { return info.param == Transport::kTcp ? "tcp" : "unix"; });

std::string head(const std::string& path, const std::string& headers) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
}

TEST_P(body, is_read_by_length_and_by_chunks) {
  RawClient client = connect();
  for (const char* const path : {"/echo", "/pieces", "/run-to-end", "/lent", "/lent-to-end", "/in-place"}) {
    client.send(head(path, "Content-Length: 11\r\n") + "hello world");
    EXPECT_EQ(client.read_answer().body, "hello world") << path;
    client.send(head(path, "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: 1\r\n\r\n");
    EXPECT_EQ(client.read_answer().body, "hello world") << path;
    client.send(head(path, "Content-Length: 0\r\n"));
    EXPECT_EQ(client.read_answer().body, "") << path;
    client.send(head(path, ""));
    EXPECT_EQ(client.read_answer().body, "") << path;
  }
}

TEST_P(body, may_come_byte_by_byte) {
  RawClient client = connect();
  for (const char* const path : {"/echo", "/pieces", "/run-to-end", "/lent", "/lent-to-end", "/in-place"}) {
    const std::string text = head(path, "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
    for (const char c : text) client.send({&c, 1});
    EXPECT_EQ(client.read_answer().body, "abc0123456789") << path;
  }
}

TEST_P(body, keeps_pipelined_requests_behind_it) {
  RawClient client = connect();
  std::string text;
  for (int i = 0; i < 100; ++i) {
    text += head(i % 2 == 0 ? "/echo" : "/pieces", "Content-Length: 3\r\n") + std::to_string(100 + i);
    text += head(i % 3 == 0 ? "/lent" : "/in-place", "Transfer-Encoding: chunked\r\n") + "1\r\nz\r\n0\r\n\r\n";
  }
  client.send(text);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.read_answer().body, std::to_string(100 + i));
    EXPECT_EQ(client.read_answer().body, "z");
  }
}

TEST_P(body, big_ones_arrive_whole) {
  RawClient client = connect();
  const std::string block(100'000, 'b');
  for (const char* const path : {"/count", "/count-lent"}) {
    client.send(head(path, "Transfer-Encoding: chunked\r\n"));
    for (int i = 0; i < 100; ++i) client.send("186a0\r\n" + block + "\r\n");
    client.send("0\r\n\r\n");
    EXPECT_EQ(client.read_answer().body, "10000000") << path;
  }
}

// Every place where a chunk's framing can be cut in two.
TEST_P(body, is_the_same_wherever_its_framing_is_cut) {
  const std::string chunks = "3\r\nabc\r\nA;x=y\r\n0123456789\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n";
  RawClient client = connect();
  for (const char* const path : {"/lent", "/in-place"}) {
    for (std::size_t cut = 1; cut < chunks.size(); ++cut) {
      client.send(head(path, "Transfer-Encoding: chunked\r\n") + chunks.substr(0, cut));
      server_.settle();
      client.send(chunks.substr(cut));
      EXPECT_EQ(client.read_answer().body, "abc0123456789!") << path << cut;
    }
  }
}

TEST_P(body, continue_is_sent_when_the_handler_reads) {
  RawClient client = connect();
  for (const char* const path : {"/echo", "/pieces", "/run-to-end", "/lent", "/lent-to-end", "/in-place"}) {
    client.send(head(path, "Content-Length: 4\r\nExpect: 100-continue\r\n"));
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    EXPECT_EQ(client.read_answer().body, "body");
  }
}

TEST_P(body, continue_is_not_sent_to_a_client_that_does_not_wait) {
  RawClient client = connect();
  client.send(head("/echo", "Content-Length: 4\r\nExpect: 100-continue\r\n") + "body");
  EXPECT_EQ(client.read_answer().body, "body");
}

TEST_P(body, an_unwanted_body_that_waits_for_continue_closes_the_connection) {
  RawClient client = connect();
  client.send(head("/ignore", "Content-Length: 4\r\nExpect: 100-continue\r\n"));
  const RawClient::Answer answer = client.read_answer();
  EXPECT_EQ(answer.body, "ignored");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST_P(body, small_unread_ones_are_skipped) {
  RawClient client = connect();
  for (const char* const path : {"/ignore", "/early"}) {
    const std::string expected = path == std::string("/ignore") ? "ignored" : "enough";
    client.send(head(path, "Content-Length: 20000\r\n") + std::string(20'000, 'u'));
    EXPECT_EQ(client.read_answer().body, expected);
    client.send(head(path, "Transfer-Encoding: chunked\r\n") + "4e20\r\n" + std::string(20'000, 'u') + "\r\n0\r\n\r\n");
    EXPECT_EQ(client.read_answer().body, expected);
  }
  EXPECT_EQ(server_.server().connection_count(), 1u);
}

TEST_P(body, big_unread_ones_close_the_connection_but_not_the_answer) {
  RawClient client = connect();
  client.send(head("/ignore", "Content-Length: 300000\r\n") + std::string(300'000, 'u'));
  const RawClient::Answer answer = client.read_answer();
  EXPECT_EQ(answer.body, "ignored");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST_P(body, beyond_the_limit_is_413) {
  RawClient client = connect();
  client.send(head("/echo", "Content-Length: 1048577\r\n"));
  EXPECT_EQ(client.read_answer().status, 413);
  RawClient chunked = connect();
  chunked.send(head("/echo", "Transfer-Encoding: chunked\r\n") + "100001\r\n" + std::string(kLimit + 1, 'x') + "\r\n");
  EXPECT_EQ(chunked.read_answer().status, 413);
  RawClient just = connect();
  just.send(head("/echo", "Content-Length: 1048576\r\n") + std::string(kLimit, 'x'));
  EXPECT_EQ(just.read_answer().body.size(), kLimit);
}

TEST_P(body, malformed_chunks_are_400) {
  for (const char* const path : {"/echo", "/pieces", "/run-to-end", "/lent", "/lent-to-end", "/in-place"}) {
    for (const char* const broken : {"zz\r\n", "-1\r\n", "5\r\nabcdeXXXX", "\r\n\r\n"}) {
      RawClient client = connect();
      client.send(head(path, "Transfer-Encoding: chunked\r\n") + broken);
      EXPECT_EQ(client.read_answer().status, 400) << path << broken;
      EXPECT_TRUE(client.at_end());
    }
  }
}

TEST_P(body, an_endless_chunk_line_is_400) {
  for (const char* const path : {"/echo", "/lent", "/in-place"}) {
    RawClient client = connect();
    client.send(head(path, "Transfer-Encoding: chunked\r\n") + "1;" + std::string(300'000, 'e'));
    EXPECT_EQ(client.read_answer().status, 400) << path;
  }
}

TEST(body_unix, that_ends_early_is_400_to_a_client_that_still_reads) {
  TestServer server;
  server.route("POST", "/echo", echo);
  server.route("POST", "/pieces", echo_in_pieces);
  server.route("POST", "/lent", echo_lent);
  server.route("POST", "/in-place", echo_lent_in_place);
  server.start();
  for (const char* const path : {"/echo", "/pieces", "/lent", "/in-place"}) {
    RawClient client = server.connect(Transport::kUnix);
    client.send(head(path, "Content-Length: 10\r\n") + "half");
    client.shutdown_write();
    EXPECT_EQ(client.read_answer().status, 400) << path;
    EXPECT_TRUE(client.at_end());
  }
}

}  // namespace
}  // namespace quoll::http
