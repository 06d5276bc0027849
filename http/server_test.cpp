#include "http/server.hpp"

#include <unistd.h>

#include "http/status.hpp"
#include "http/test_support.hpp"
#include "task/error.hpp"
#include "task/event.hpp"
#include "task/this_task.hpp"
#include "task/timer.hpp"

namespace quoll::http {
namespace {

task::Task<void> say_ok(Request&, Response& response) { co_await response.send("OK", "text/plain"); }

task::Task<void> say_ok_late(Request&, Response& response) {
  co_await task::yield();
  co_await response.send("late", "text/plain");
}

task::Task<void> tell_client(Request& request, Response& response) {
  const task::Labels& labels = *task::this_task::record().labels;
  EXPECT_EQ(labels.request_id, request.id());
  EXPECT_EQ(labels.route, "/who");
  EXPECT_EQ(labels.path, "/who");
  EXPECT_EQ(labels.method, "GET");
  EXPECT_EQ(labels.client, request.client());
  co_await response.send(std::to_string(request.id()) + " " + std::string(request.client()), "text/plain");
}

task::Task<void> fail_late(Request&, Response&) {
  co_await task::yield();
  throw Error(ErrorClass::kConflict, "in use");
}

task::Task<void> fail_by_a_bug(Request&, Response&) {
  throw std::runtime_error("secret");
  co_return;
}

task::Task<void> give_no_answer(Request&, Response&) { co_return; }

task::Task<void> fail_in_a_stream(Request&, Response& response) {
  co_await response.start_stream("text/plain");
  co_await response.write("some");
  throw Error(ErrorClass::kInternal, "disk broke");
}

task::Task<void> stream_with_trailer(Request&, Response& response) {
  response.set_header("Trailer", "X-Count");
  co_await response.start_stream("text/plain");
  const std::string_view parts[] = {"ab", "", "c"};
  co_await response.write(parts);
  co_await response.write("");
  response.set_trailer("X-Count", "2");
  co_await response.write("d");
}

task::Task<void> stream_when(task::Event& go, Response& response) {
  co_await response.start_stream("text/plain");
  co_await go.wait();
  co_await response.write("x");
}

task::Task<void> stream_in_pieces(const std::string& text, Response& response) {
  co_await response.start_stream("text/plain");
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at < text.size(); at += 3001) parts.push_back(std::string_view(text).substr(at, 3001));
  co_await response.write(parts);
}

task::Task<void> send_evil_header(Request&, Response& response) {
  response.set_header("X-Evil", "a\r\nSet-Cookie: b");
  co_await response.send("x", "text/plain");
}

task::Task<void> echo_target(Request& request, Response& response) {
  co_await response.send(std::string(request.target()), "text/plain");
}

class server : public testing::TestWithParam<Transport> {
 protected:
  task::Event go_;
  TestServer server_;
};
INSTANTIATE_TEST_SUITE_P(transports, server, testing::Values(Transport::kTcp, Transport::kUnix),
                         [](const auto& info) { return info.param == Transport::kTcp ? "tcp" : "unix"; });

TEST_P(server, answers_many_requests_on_one_connection) {
  server_.route("GET", "/ok", say_ok);
  server_.route("GET", "/late", say_ok_late);
  server_.start();
  RawClient client = server_.connect(GetParam());
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client.get("/ok").body, "OK");
    EXPECT_EQ(client.get("/late").body, "late");
  }
  EXPECT_EQ(server_.server().connection_count(), 1u);
}

TEST_P(server, sends_date_length_type_and_static_headers) {
  TestServer other(ServerOptions{.static_headers = "Server: quoll-test\r\nApi-Version: 1.51\r\n"});
  other.route("GET", "/ok", say_ok);
  other.start();
  const RawClient::Answer answer = other.connect(GetParam()).get("/ok");
  EXPECT_EQ(answer.head.substr(0, 17), "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(answer.header("content-length"), "2");
  EXPECT_EQ(answer.header("content-type"), "text/plain");
  EXPECT_EQ(answer.header("server"), "quoll-test");
  EXPECT_EQ(answer.header("api-version"), "1.51");
  EXPECT_NE(answer.header("date").find(" GMT"), std::string::npos);
}

TEST_P(server, answers_pipelined_requests_in_order) {
  server_.route("GET", "/ok", say_ok);
  server_.route("GET", "/late", say_ok_late);
  server_.route("GET", "/echo/{id}", echo_target);
  server_.start();
  RawClient client = server_.connect(GetParam());
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    requests += "GET /echo/" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    if (i % 7 == 0) requests += "GET /late HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  client.send(requests);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(client.read_answer().body, "/echo/" + std::to_string(i));
    if (i % 7 == 0) EXPECT_EQ(client.read_answer().body, "late");
  }
}

TEST_P(server, an_answer_does_not_wait_for_the_rest_of_the_next_request) {
  server_.route("GET", "/ok", say_ok);
  server_.start();
  RawClient client = server_.connect(GetParam());
  client.send("GET /ok HTTP/1.1\r\nHost: x\r\n\r\nGET /o");
  EXPECT_EQ(client.read_answer().body, "OK");
  client.send("k HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "OK");
}

TEST_P(server, reads_a_head_that_comes_byte_by_byte) {
  server_.route("GET", "/ok", say_ok);
  server_.start();
  RawClient client = server_.connect(GetParam());
  for (const char c : std::string_view("GET /ok HTTP/1.1\r\nHost: x\r\nX-A: b\r\n\r\n")) client.send({&c, 1});
  EXPECT_EQ(client.read_answer().body, "OK");
}

TEST_P(server, closes_as_the_client_asks) {
  server_.route("GET", "/ok", say_ok);
  server_.start();
  RawClient client = server_.connect(GetParam());
  client.send("GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.read_answer().header("connection"), "close");
  EXPECT_TRUE(client.at_end());
  RawClient old = server_.connect(GetParam());
  old.send("GET /ok HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.read_answer().body, "OK");
  EXPECT_TRUE(old.at_end());
  RawClient kept = server_.connect(GetParam());
  for (int i = 0; i < 2; ++i) {
    kept.send("GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(kept.read_answer().header("connection"), "keep-alive");
  }
}

TEST_P(server, head_has_the_headers_and_no_body) {
  server_.route("HEAD", "/ok", say_ok);
  server_.start();
  RawClient client = server_.connect(GetParam());
  for (int i = 0; i < 2; ++i) {
    client.send("HEAD /ok HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.read_answer(true).header("content-length"), "2");
  }
}

TEST_P(server, requests_name_their_client_and_ids_differ) {
  server_.route("GET", "/who", tell_client);
  server_.start();
  RawClient client = server_.connect(GetParam());
  const std::string first = client.get("/who").body;
  EXPECT_NE(first, client.get("/who").body);
  const std::string whom = GetParam() == Transport::kTcp ? "127.0.0.1:" : "unix:pid=" + std::to_string(::getpid());
  EXPECT_NE(first.find(whom), std::string::npos) << first;
}

TEST_P(server, renders_what_a_handler_throws) {
  std::atomic<int> told{0};
  TestServer other(ServerOptions{
      .render_error = [](const Request& request, const std::exception_ptr& failure) -> ErrorReply {
        return {status_of(failure), "{\"message\":\"" + message_of(failure) + "\"}" + std::string(request.method()),
                "application/json"};
      },
      .on_error = [&](const Request&, const std::exception_ptr&,
                      bool headers_sent) { told += headers_sent ? 100 : 1; }});
  other.route("GET", "/error", fail_late);
  other.route("GET", "/bug", fail_by_a_bug);
  other.route("GET", "/nothing", give_no_answer);
  other.start();
  RawClient client = other.connect(GetParam());
  EXPECT_EQ(client.get("/error").body, "{\"message\":\"in use\"}GET");
  EXPECT_EQ(client.get("/error").status, 409);
  const RawClient::Answer bug = client.get("/bug");
  EXPECT_EQ(bug.status, 500);
  EXPECT_EQ(bug.body, "{\"message\":\"internal error\"}GET");
  EXPECT_EQ(client.get("/nothing").status, 500);
  EXPECT_EQ(client.get("/absent").body, "{\"message\":\"page not found\"}GET");
  EXPECT_EQ(told, 4);
}

TEST_P(server, a_failure_after_the_headers_cuts_the_stream) {
  std::atomic<bool> told{false};
  TestServer other(ServerOptions{
      .on_error = [&](const Request&, const std::exception_ptr&, bool headers_sent) { told = headers_sent; }});
  other.route("GET", "/cut", fail_in_a_stream);
  other.start();
  RawClient client = other.connect(GetParam());
  client.send("GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string all = client.read_to_end();
  EXPECT_EQ(all.substr(all.size() - 9), "4\r\nsome\r\n");
  EXPECT_TRUE(told);
}

TEST_P(server, streams_in_chunks_with_trailers) {
  server_.route("GET", "/stream", stream_with_trailer);
  server_.start();
  RawClient client = server_.connect(GetParam());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_until("0\r\nX-Count: 2\r\n\r\n"), "3\r\nabc\r\n1\r\nd\r\n0\r\nX-Count: 2\r\n\r\n");
  client.send("GET /stream HTTP/1.0\r\n\r\n");
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_to_end(), "abcd");
}

TEST_P(server, headers_of_a_stream_leave_before_its_first_byte) {
  server_.route("GET", "/stream", [this](Request&, Response& response) { return stream_when(go_, response); });
  server_.start();
  RawClient client = server_.connect(GetParam());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(client.read_until("\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  go_.set();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "1\r\nx\r\n0\r\n\r\n");
}

TEST_P(server, a_slow_reader_gets_every_byte_of_a_big_answer) {
  std::string big(8 << 20, 'a');
  for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>('a' + i % 23);
  const auto shared = std::make_shared<const std::string>(big);
  server_.route("GET", "/whole",
                [shared](Request&, Response& response) { return response.send(shared, "text/plain"); });
  server_.route("GET", "/stream",
                [shared](Request&, Response& response) { return stream_in_pieces(*shared, response); });
  server_.start();
  RawClient client = server_.connect(GetParam());
  EXPECT_TRUE(client.get("/whole").body == big);
  EXPECT_TRUE(client.get("/stream").body == big);
}

TEST_P(server, statuses_without_a_body_have_none) {
  server_.route("DELETE", "/x", [](Request&, Response& response) { return response.send_empty(204); });
  server_.route("POST", "/x", [](Request&, Response& response) { return response.send_empty(200); });
  server_.start();
  RawClient client = server_.connect(GetParam());
  client.send("DELETE /x HTTP/1.1\r\nHost: x\r\n\r\n");
  const RawClient::Answer gone = client.read_answer();
  EXPECT_EQ(gone.status, 204);
  EXPECT_EQ(gone.header("content-length"), "");
  client.send("POST /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer().header("content-length"), "0");
}

TEST_P(server, a_header_value_cannot_break_out_of_its_line) {
  server_.route("GET", "/x", send_evil_header);
  server_.start();
  EXPECT_EQ(server_.connect(GetParam()).get("/x").header("x-evil"), "a  Set-Cookie: b");
}

TEST_P(server, refuses_malformed_requests_and_closes) {
  server_.route("GET", "/ok", say_ok);
  server_.start();
  struct Case {
    std::string text;
    int status;
  };
  const Case cases[] = {
      {"rubbish\r\n\r\n", 400},
      {"GET /ok HTTP/1.1\r\n\r\n", 400},
      {"GET /ok HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET ok HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /ok HTTP/3.0\r\nHost: a\r\n\r\n", 505},
      {"GET /ok HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
      {"POST /ok HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
       "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n",
       400},
      {"GET /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: miracle\r\n\r\n", 417}};
  for (const Case& each : cases) {
    RawClient client = server_.connect(GetParam());
    client.send(each.text);
    const RawClient::Answer answer = client.read_answer();
    EXPECT_EQ(answer.status, each.status) << each.text;
    EXPECT_EQ(answer.header("connection"), "close");
    EXPECT_TRUE(client.at_end()) << each.text;
  }
}

}  // namespace
}  // namespace quoll::http
