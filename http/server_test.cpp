#include "http/server.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <thread>

#include "http/status.hpp"
#include "http/test_support.hpp"
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

task::Task<void> echo_target(Request& request, Response& response) {
  co_await response.send(std::string(request.target()), "text/plain");
}

class server : public testing::TestWithParam<Transport> {
 protected:
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
  server_.route("GET", "/who", [](Request& request, Response& response) -> task::Task<void> {
    const task::Labels& labels = *task::this_task::record().labels;
    EXPECT_EQ(labels.request_id, request.id());
    EXPECT_EQ(labels.route, "/who");
    EXPECT_EQ(labels.path, "/who");
    EXPECT_EQ(labels.method, "GET");
    EXPECT_EQ(labels.client, request.client());
    co_await response.send(std::to_string(request.id()) + " " + std::string(request.client()), "text/plain");
  });
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
      .on_error = [&](const Request&, const std::exception_ptr&, bool headers_sent) { told += headers_sent ? 100 : 1; }});
  other.route("GET", "/error", [](Request&, Response&) -> task::Task<void> {
    co_await task::yield();
    throw Error(ErrorClass::kConflict, "in use");
  });
  other.route("GET", "/bug", [](Request&, Response&) -> task::Task<void> {
    throw std::runtime_error("secret");
    co_return;
  });
  other.route("GET", "/nothing", [](Request&, Response&) -> task::Task<void> { co_return; });
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
  other.route("GET", "/cut", [](Request&, Response& response) -> task::Task<void> {
    co_await response.start_stream("text/plain");
    co_await response.write("some");
    throw Error(ErrorClass::kInternal, "disk broke");
  });
  other.start();
  RawClient client = other.connect(GetParam());
  client.send("GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string all = client.read_to_end();
  EXPECT_EQ(all.substr(all.size() - 9), "4\r\nsome\r\n");
  EXPECT_TRUE(told);
}

TEST_P(server, streams_in_chunks_with_trailers) {
  server_.route("GET", "/stream", [](Request&, Response& response) -> task::Task<void> {
    response.set_header("Trailer", "X-Count");
    co_await response.start_stream("text/plain");
    const std::string_view parts[] = {"ab", "", "c"};
    co_await response.write(parts);
    co_await response.write("");
    response.set_trailer("X-Count", "2");
    co_await response.write("d");
  });
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
  task::Event go;
  server_.route("GET", "/stream", [&](Request&, Response& response) -> task::Task<void> {
    co_await response.start_stream("text/plain");
    co_await go.wait();
    co_await response.write("x");
  });
  server_.start();
  RawClient client = server_.connect(GetParam());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(client.read_until("\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  go.set();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "1\r\nx\r\n0\r\n\r\n");
}

TEST_P(server, a_slow_reader_gets_every_byte_of_a_big_answer) {
  std::string big(8 << 20, 'a');
  for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>('a' + i % 23);
  const auto shared = std::make_shared<const std::string>(big);
  server_.route("GET", "/whole", [shared](Request&, Response& response) -> task::Task<void> {
    co_await response.send(shared, "text/plain");
  });
  server_.route("GET", "/stream", [shared](Request&, Response& response) -> task::Task<void> {
    co_await response.start_stream("text/plain");
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at < shared->size(); at += 3001) parts.push_back(std::string_view(*shared).substr(at, 3001));
    co_await response.write(parts);
  });
  server_.start();
  RawClient client = server_.connect(GetParam());
  EXPECT_TRUE(client.get("/whole").body == big);
  EXPECT_TRUE(client.get("/stream").body == big);
}

TEST_P(server, statuses_without_a_body_have_none) {
  server_.route("DELETE", "/x", [](Request&, Response& response) -> task::Task<void> { return response.send_empty(204); });
  server_.route("POST", "/x", [](Request&, Response& response) -> task::Task<void> { return response.send_empty(200); });
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
  server_.route("GET", "/x", [](Request&, Response& response) -> task::Task<void> {
    response.set_header("X-Evil", "a\r\nSet-Cookie: b");
    co_await response.send("x", "text/plain");
  });
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
  const Case cases[] = {{"rubbish\r\n\r\n", 400},
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

TEST(server_tcp, refuses_foreign_web_pages_where_asked_to) {
  TestServer guarded(ServerOptions{
      .guard_origin = true, .allowed_hosts = {"box.example"}, .allowed_origins = {"https://ui.example"}});
  guarded.route("GET", "/ok", say_ok);
  guarded.start();
  const auto ask = [&](Transport transport, const std::string& headers) {
    RawClient client = guarded.connect(transport);
    client.send("GET /ok HTTP/1.1\r\n" + headers + "\r\n");
    return client.read_answer().status;
  };
  for (const char* const good :
       {"Host: localhost\r\n", "Host: 127.0.0.1:2375\r\n", "Host: [::1]:2375\r\n", "Host: box.example:1\r\n",
        "Host: localhost:5\r\nOrigin: http://localhost:5\r\n", "Host: localhost\r\nOrigin: https://ui.example\r\n"}) {
    EXPECT_EQ(ask(Transport::kTcp, good), 200) << good;
  }
  for (const char* const bad :
       {"Host: evil.example\r\n", "Host: localhost.evil.example:80\r\n", "Host: localhost\r\nOrigin: null\r\n",
        "Host: localhost\r\nOrigin: http://evil.example\r\n", "Host: localhost:5\r\nOrigin: http://localhost:6\r\n"}) {
    EXPECT_EQ(ask(Transport::kTcp, bad), 403) << bad;
    EXPECT_EQ(ask(Transport::kUnix, bad), 200) << bad;
  }
}

TEST(server_unix, socket_file_has_its_mode_and_is_removed) {
  TestServer server;
  server.route("GET", "/ok", say_ok);
  server.start();
  const std::string path = server.socket_path();
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660u);
  EXPECT_THROW(server.server().listen_unix(path), Error);
  server.stop();
  EXPECT_NE(::stat(path.c_str(), &status), 0);
}

TEST(server_limits, connections_beyond_the_limit_are_told_so) {
  TestServer server(ServerOptions{.connections_max = 2});
  server.route("GET", "/ok", say_ok);
  server.start();
  RawClient first = server.connect(Transport::kTcp);
  RawClient second = server.connect(Transport::kUnix);
  EXPECT_EQ(first.get("/ok").status, 200);
  EXPECT_EQ(second.get("/ok").status, 200);
  RawClient third = server.connect(Transport::kTcp);
  EXPECT_EQ(third.read_answer().status, 503);
  first.close();
  EXPECT_TRUE(eventually([&] { return server.server().connection_count() == 1; }));
  EXPECT_EQ(server.connect(Transport::kTcp).get("/ok").status, 200);
}

TEST(server_limits, accepting_goes_on_after_the_process_ran_out_of_descriptors) {
  TestServer server;
  server.route("GET", "/ok", say_ok);
  server.start();
  RawClient first = server.connect(Transport::kTcp);
  EXPECT_EQ(first.get("/ok").status, 200);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  RawClient waiting = server.connect(Transport::kUnix);
  EXPECT_EQ(waiting.get("/ok").status, 200);
  rlimit none = before;
  none.rlim_cur = 3;
  UniqueFd pending(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setrlimit(RLIMIT_NOFILE, &none);
  RawClient queued = RawClient(server.port(), std::move(pending));  // in the queue, cannot be accepted
  EXPECT_EQ(first.get("/ok").status, 200);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(queued.get("/ok").status, 200);
}

}  // namespace
}  // namespace quoll::http
