#include "http/test_support.hpp"
#include "task/event.hpp"
#include "task/this_task.hpp"
#include "task/timer.hpp"

namespace quoll::http {
namespace {

struct Seen {
  std::atomic<int> started{0};
  std::atomic<task::CancelReason> reason{task::CancelReason::kNone};
  task::Event go;
};

task::Task<void> wait_then_answer(Seen& seen, Response& response) {
  ++seen.started;
  try {
    co_await seen.go.wait();
  } catch (const task::Cancelled& cancelled) {
    seen.reason = cancelled.reason();
    throw;
  }
  co_await response.send("done", "text/plain");
}

task::Task<void> stream_for_ever(Seen& seen, Response& response) {
  co_await response.start_stream("text/plain");
  co_await response.write("x");
  co_await wait_then_answer(seen, response);
}

void add_routes(TestServer& server, Seen& seen) {
  server.route("GET", "/wait", [&seen](Request&, Response& response) { return wait_then_answer(seen, response); });
  server.route("GET", "/stream", [&seen](Request&, Response& response) { return stream_for_ever(seen, response); });
  server.route(
      "GET", "/run-to-end", [&seen](Request&, Response& response) { return wait_then_answer(seen, response); },
      CancelPolicy::kRunToEnd);
  server.start();
}

constexpr std::string_view kWait = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(stop, closes_idle_connections_at_once) {
  Seen seen;
  TestServer server({}, std::chrono::hours(1));
  add_routes(server, seen);
  RawClient idle = server.connect(Transport::kTcp);
  EXPECT_EQ(idle.get("/absent").status, 404);
  RawClient untouched = server.connect(Transport::kUnix);
  EXPECT_TRUE(eventually([&] { return server.server().connection_count() == 2; }));
  server.stop();
  EXPECT_TRUE(idle.at_end());
  EXPECT_TRUE(untouched.at_end());
}

TEST(stop, lets_a_request_end_within_the_grace) {
  Seen seen;
  TestServer server({}, std::chrono::hours(1));
  add_routes(server, seen);
  RawClient client = server.connect(Transport::kTcp);
  client.send(kWait);
  ASSERT_TRUE(eventually([&] { return seen.started == 1; }));
  std::thread release([&] {
    // Refused connections show that the server has stopped accepting.
    eventually([&] {
      try {
        server.connect(Transport::kUnix);
        return false;
      } catch (const std::runtime_error&) {
        return true;
      }
    });
    seen.go.set();
  });
  server.stop();
  release.join();
  const RawClient::Answer answer = client.read_answer();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST(stop, cancels_what_outlasts_the_grace) {
  Seen seen;
  TestServer server({}, std::chrono::milliseconds(10));
  add_routes(server, seen);
  RawClient stuck = server.connect(Transport::kTcp);
  stuck.send(kWait);
  RawClient stream = server.connect(Transport::kUnix);
  stream.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  RawClient stubborn = server.connect(Transport::kTcp);
  stubborn.send("GET /run-to-end HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return seen.started == 3; }));
  server.stop();
  EXPECT_EQ(seen.reason, task::CancelReason::kShutdown);
  EXPECT_EQ(stuck.read_answer().status, 503);
  EXPECT_EQ(stubborn.read_answer().status, 503);
  EXPECT_TRUE(stuck.at_end());
  stream.read_until("\r\n\r\n");
  EXPECT_EQ(stream.read_to_end(), "1\r\nx\r\n");
}

TEST(stop, may_come_while_clients_come_and_go) {
  for (int round = 0; round < 8; ++round) {
    Seen seen;
    TestServer server({}, std::chrono::milliseconds(0));
    add_routes(server, seen);
    std::vector<std::thread> threads;
    std::atomic<bool> stopped{false};
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, i] {
        while (!stopped) {
          try {
            RawClient client = server.connect(i % 2 == 0 ? Transport::kTcp : Transport::kUnix);
            client.send(i == 2 ? kWait : "GET /absent HTTP/1.1\r\nHost: x\r\n\r\n");
          } catch (const std::runtime_error&) {
            return;
          }
        }
      });
    }
    EXPECT_TRUE(eventually([&] { return seen.started > 5; }));
    server.stop();
    stopped = true;
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace quoll::http
