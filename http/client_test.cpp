#include "http/client.hpp"

#include <sys/socket.h>

#include "http/test_support.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/event.hpp"

namespace quoll::http {
namespace {

task::Task<void> echo(Request& request, Response& response) {
  response.set_header("X-Method", request.method());
  response.set_header("X-Type", request.header("Content-Type"));
  co_await response.send(co_await request.read_body_all(100 << 20), "text/plain");
}

task::Task<void> stream_numbers(Request&, Response& response) {
  co_await response.start_stream("text/plain");
  for (int i = 0; i < 1000; ++i) co_await response.write(std::to_string(i) + "\n");
  response.set_trailer("X-Count", "1000");
}

task::Task<void> never(task::Event& event, Response& response) {
  co_await response.start_stream("text/plain");
  co_await event.wait();
}

task::Task<void> close_after(Request&, Response& response) {
  response.close_connection();
  co_await response.send("last", "text/plain");
}

task::Task<void> echo_raw(Request&, Response& response) {
  HijackedStream stream = co_await response.hijack();
  char piece[100];
  while (const std::size_t count = co_await stream.read_some(piece)) co_await stream.write({piece, count});
}

class client : public testing::TestWithParam<Transport> {
 protected:
  client() {
    server_.route("POST", "/echo", echo);
    server_.route("PUT", "/echo", echo);
    server_.route("GET", "/numbers", stream_numbers);
    server_.route("HEAD", "/numbers", stream_numbers);
    server_.route("GET", "/never", [this](Request&, Response& response) { return never(event_, response); });
    server_.route("GET", "/close", close_after);
    server_.route("POST", "/raw", echo_raw);
    server_.start();
  }
  Client make() {
    return GetParam() == Transport::kTcp ? Client::tcp("localhost", server_.port())
                                         : Client::unix_socket(server_.socket_path());
  }

  task::Event event_;
  TestServer server_;
};
INSTANTIATE_TEST_SUITE_P(transports, client, testing::Values(Transport::kTcp, Transport::kUnix),
                         [](const auto& info) { return info.param == Transport::kTcp ? "tcp" : "unix"; });

task::Task<void> post_and_get(Client client, Server& server) {
  ClientResponse posted = co_await client.post("/echo", "{\"a\":1}");
  EXPECT_EQ(posted.status(), 200);
  EXPECT_EQ(posted.reason(), "OK");
  EXPECT_EQ(posted.header("x-type"), "application/json");
  EXPECT_EQ(co_await posted.read_body_all(), "{\"a\":1}");
  ClientResponse numbers = co_await client.get("/numbers");
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_EQ(co_await numbers.read_body_all(), expected);
  EXPECT_EQ(numbers.trailers().get("x-count"), "1000");
  ClientRequest head;
  head.method = "HEAD";
  head.target = "/numbers";
  EXPECT_EQ((co_await client.request(std::move(head))).header("transfer-encoding"), "chunked");
  EXPECT_EQ((co_await client.get("/absent")).status(), 404);
  EXPECT_EQ(server.connection_count(), 1u);
  // An answer that was not read costs a new connection, and nothing else.
  EXPECT_EQ((co_await client.get("/numbers")).status(), 200);
  ClientResponse again = co_await client.post("/echo");
  EXPECT_EQ(co_await again.read_body_all(), "");
}

TEST_P(client, sends_requests_one_after_the_other_on_one_connection) {
  server_.run(post_and_get(make(), server_.server()));
}

task::Task<std::size_t> produce(std::size_t* left, std::span<char> buffer) {
  const std::size_t count = std::min({*left, buffer.size(), std::size_t{12'345}});
  std::fill_n(buffer.begin(), count, 'u');
  *left -= count;
  co_return count;
}

task::Task<void> upload(Client client) {
  std::size_t left = 3'000'000;
  ClientRequest request;
  request.method = "PUT";
  request.target = "/echo";
  request.body_producer = [&left](std::span<char> buffer) { return produce(&left, buffer); };
  ClientResponse response = co_await client.request(std::move(request));
  EXPECT_EQ((co_await response.read_body_all()).size(), 3'000'000u);
}

TEST_P(client, uploads_from_a_producer_in_chunks) { server_.run(upload(make())); }

task::Task<void> bounded(Client client) {
  ClientResponse response = co_await client.get("/numbers");
  co_await response.read_body_all(100);
}

TEST_P(client, bounds_the_answer) { EXPECT_THROW(server_.run(bounded(make())), Error); }

task::Task<void> survive_close(Client client) {
  for (int i = 0; i < 3; ++i) {
    ClientResponse response = co_await client.get("/close");
    EXPECT_EQ(co_await response.read_body_all(), "last");
  }
}

TEST_P(client, connects_again_after_the_server_has_closed) { server_.run(survive_close(make())); }

task::Task<void> give_up(Client client) {
  ClientResponse response = co_await client.get("/never");
  char piece[10];
  co_await task::with_deadline(std::chrono::milliseconds(1), response.read_body(piece));
}

TEST_P(client, can_be_cancelled_while_it_waits) {
  EXPECT_THROW(server_.run(give_up(make())), Error);
  EXPECT_TRUE(eventually([&] { return server_.server().connection_count() == 0; }));
}

task::Task<void> talk_raw(Client client) {
  ClientRequest request;
  request.method = "POST";
  request.target = "/raw";
  request.headers = {{"Connection", "Upgrade"}, {"Upgrade", "tcp"}};
  EXPECT_EQ((co_await client.request(std::move(request))).status(), 101);
  co_await client.write_raw("hello");
  client.shutdown_write();
  std::string all;
  char piece[3];
  while (const std::size_t count = co_await client.read_raw(piece)) all.append(piece, count);
  EXPECT_EQ(all, "hello");
}

TEST_P(client, talks_raw_after_an_upgrade) { server_.run(talk_raw(make())); }

task::Task<void> ask_nobody(Client client) { co_await client.get("/"); }

TEST_P(client, says_that_nobody_listens) {
  try {
    server_.run(
        ask_nobody(GetParam() == Transport::kTcp ? Client::tcp("127.0.0.1", 1) : Client::unix_socket("/nowhere")));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kUnavailable);
    EXPECT_NE(error.message().find(GetParam() == Transport::kTcp ? "127.0.0.1:1" : "/nowhere"), std::string::npos)
        << error.message();
  }
}

TEST(client_url, is_taken_apart_or_refused) {
  for (const char* const good : {"unix:///run/x.sock", "tcp://127.0.0.1:2375", "http://[::1]:80/x", "tcp://host"}) {
    EXPECT_NO_THROW(Client::from_url(good)) << good;
  }
  for (const char* const bad : {"", "ftp://x", "tcp://", "tcp://x:y", "tcp://x:70000", "https://x"}) {
    EXPECT_THROW(Client::from_url(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace quoll::http
