// Bodies that a blocking function reads: how it ends where the body or the function goes wrong. That bodies arrive, and
// that a client's leaving cancels, body_test.cpp and disconnect_test.cpp say of both ways to read.
#include "http/status.hpp"
#include "http/test_support.hpp"
#include "task/combine.hpp"

namespace quoll::http {
namespace {

using std::chrono_literals::operator""ms;

task::Task<void> count_all(Request& request, Response& response) {
  const std::string body = co_await read_lent(request, 1 << 30);
  co_await response.send(std::to_string(body.size()), "text/plain");
}

task::Task<void> refuse_at_once(Request& request, Response& response) {
  co_await request.consume_body([](const BodySource& source, const std::stop_token&) {
    char first[1];
    source(first);
    throw StatusError(422, "not wanted");
  });
  co_await response.send("", "text/plain");
}

task::Task<void> take_one_byte(Request& request, Response& response) {
  co_await request.consume_body([](const BodySource& source, const std::stop_token&) {
    char first[1];
    source(first);
  });
  co_await response.send("one", "text/plain");
}

task::Task<void> give_up_soon(Request& request, Response& response) {
  co_await task::with_deadline(20ms, count_all(request, response));
}

class body_loan : public testing::TestWithParam<Transport> {
 protected:
  body_loan() {
    server_.route("POST", "/count", count_all);
    server_.route("POST", "/refuse", refuse_at_once);
    server_.route("POST", "/one", take_one_byte);
    server_.route("POST", "/deadline", give_up_soon);
    server_.start();
  }
  RawClient connect() { return server_.connect(GetParam()); }

  TestServer server_;
};
INSTANTIATE_TEST_SUITE_P(transports, body_loan, testing::Values(Transport::kTcp, Transport::kUnix),
                         [](const auto& info) { return info.param == Transport::kTcp ? "tcp" : "unix"; });

std::string head(const std::string& path, const std::string& headers) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
}

TEST_P(body_loan, what_the_function_leaves_is_dropped) {
  RawClient client = connect();
  const std::string much(3'000'000, 'm');
  client.send(head("/one", "Content-Length: 3000000\r\n") + much);
  EXPECT_EQ(client.read_answer().body, "one");
  client.send(head("/count", "Content-Length: 4\r\n") + "next");
  EXPECT_EQ(client.read_answer().body, "4");
}

TEST_P(body_loan, what_the_function_throws_is_answered_behind_the_body) {
  RawClient client = connect();
  const std::string much(3'000'000, 'm');
  client.send(head("/refuse", "Content-Length: 3000000\r\n") + much);
  EXPECT_EQ(client.read_answer().status, 422);
  client.send(head("/count", "Content-Length: 4\r\n") + "next");
  EXPECT_EQ(client.read_answer().body, "4");
}

TEST_P(body_loan, a_function_that_waits_for_a_silent_client_is_cancelled) {
  RawClient client = connect();
  client.send(head("/deadline", "Content-Length: 100\r\n") + "part");
  EXPECT_EQ(client.read_answer().status, 504);
  EXPECT_TRUE(eventually([&] { return server_.runtime().task_count() <= TestServer::kIdleTasks + 1; }));
}

TEST_P(body_loan, the_server_stops_beside_a_silent_client) {
  RawClient client = connect();
  client.send(head("/count", "Content-Length: 100\r\n") + "part");
  ASSERT_TRUE(eventually([&] { return server_.server().connection_count() == 1; }));
  server_.stop();
  client.read_to_end();
}

TEST_P(body_loan, takes_no_descriptor_with_it) {
  RawClient client = connect();
  client.send(head("/count", "Content-Length: 4\r\n") + "1234");
  EXPECT_EQ(client.read_answer().body, "4");
  const std::size_t descriptors = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    client.send(head("/count", "Content-Length: 4\r\n") + "12");
    client.send("34");
    EXPECT_EQ(client.read_answer().body, "4");
  }
  EXPECT_EQ(open_descriptors(), descriptors);
}

}  // namespace
}  // namespace quoll::http
