#include <future>

#include "http/test_support.hpp"
#include "task/event.hpp"
#include "task/scope.hpp"
#include "task/this_task.hpp"
#include "task/timer.hpp"

namespace quoll::http {
namespace {

struct Seen {
  std::atomic<int> started{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> input_ended{0};
  std::atomic<int> ended{0};
  task::Event go;
};

// Sends back what comes in, and "bye" behind the end of the input.
task::Task<void> echo_raw(Seen& seen, Request& request, Response& response) {
  if (request.has_body()) co_await request.read_body_all(1000);
  HijackedStream stream = co_await response.hijack();
  ++seen.started;
  char piece[7];
  while (const std::size_t count = co_await stream.read_some(piece)) co_await stream.write({piece, count});
  ++seen.input_ended;
  co_await stream.write("bye");
  stream.shutdown_write();
  ++seen.ended;
}

task::Task<void> wait_cancelled(Seen& seen) {
  try {
    co_await seen.go.wait();
  } catch (const task::Cancelled&) {
    ++seen.cancelled;
    throw;
  }
}

task::Task<void> read_to_end(Seen& seen, HijackedStream stream) {
  char piece[512];
  while (co_await stream.read_some(piece) > 0) {
  }
  ++seen.input_ended;
}

// As attach does: one task reads the input, another waits for output that does not come.
task::Task<void> attach_silent(Seen& seen, Response& response) {
  const HijackedStream stream = co_await response.hijack();
  ++seen.started;
  task::Scope scope("attach");
  scope.spawn("input", read_to_end(seen, stream));
  scope.spawn("output", wait_cancelled(seen));
  co_await scope.join();
}

// Never reads its input.
task::Task<void> ignore_input(Seen& seen, Response& response) {
  co_await response.hijack();
  ++seen.started;
  co_await wait_cancelled(seen);
}

class hijack : public testing::TestWithParam<Transport> {
 protected:
  hijack() {
    server_.route("POST", "/echo",
                  [this](Request& request, Response& response) { return echo_raw(seen_, request, response); });
    server_.route("POST", "/attach", [this](Request&, Response& response) { return attach_silent(seen_, response); });
    server_.route("POST", "/ignore", [this](Request&, Response& response) { return ignore_input(seen_, response); });
    server_.start();
  }
  RawClient open(const std::string& path, const std::string& behind = {}) {
    RawClient client = server_.connect(GetParam());
    client.send("POST " + path + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" + behind);
    client.read_until("\r\n\r\n");
    return client;
  }
  void expect_all_gone() {
    EXPECT_TRUE(eventually([&] { return server_.server().connection_count() == 0; }));
    EXPECT_TRUE(eventually([&] { return server_.runtime().task_count() == TestServer::kIdleTasks; }));
  }

  Seen seen_;
  TestServer server_;
};
INSTANTIATE_TEST_SUITE_P(transports, hijack, testing::Values(Transport::kTcp, Transport::kUnix),
                         [](const auto& info) { return info.param == Transport::kTcp ? "tcp" : "unix"; });

TEST_P(hijack, answers_an_upgrade_with_101_and_others_with_a_raw_200) {
  RawClient client = server_.connect(GetParam());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"),
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n"
            "Upgrade: tcp\r\n\r\n");
  RawClient plain = server_.connect(GetParam());
  plain.send("POST /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(plain.read_until("\r\n\r\n"), "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");
  for (RawClient* const each : {&client, &plain}) {
    each->send("some text");
    EXPECT_EQ(each->read_exactly(9), "some text");
  }
}

TEST_P(hijack, gives_what_was_sent_behind_the_request_first) {
  RawClient client = open("/echo", "early ");
  client.send("late");
  EXPECT_EQ(client.read_exactly(10), "early late");
  RawClient with_body = server_.connect(GetParam());
  with_body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbodyraw");
  with_body.read_until("\r\n\r\n");
  EXPECT_EQ(with_body.read_exactly(3), "raw");
}

TEST_P(hijack, carries_much_both_ways) {
  RawClient client = open("/echo");
  std::string text;
  for (int i = 0; text.size() < 2'000'000; ++i) text += std::to_string(i);
  auto sent = std::async(std::launch::async, [&] { client.send(text); });
  EXPECT_TRUE(client.read_exactly(text.size()) == text);
  sent.get();
}

TEST_P(hijack, half_close_is_the_end_of_input_and_output_goes_on) {
  RawClient client = open("/echo");
  client.send("last");
  client.shutdown_write();
  EXPECT_EQ(client.read_to_end(), "lastbye");
  EXPECT_TRUE(eventually([&] { return seen_.ended == 1; }));
  expect_all_gone();
}

TEST_P(hijack, half_close_does_not_cancel_a_silent_attach) {
  RawClient client = open("/attach");
  client.shutdown_write();
  EXPECT_TRUE(eventually([&] { return seen_.input_ended == 1; }));
  EXPECT_EQ(seen_.cancelled, 0);
  seen_.go.set();
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(seen_.cancelled, 0);
}

TEST_P(hijack, leaving_cancels_a_silent_attach) {
  RawClient client = open("/attach");
  if (GetParam() == Transport::kTcp) {
    client.reset();
  } else {
    client.close();
  }
  EXPECT_TRUE(eventually([&] { return seen_.cancelled == 1; }));
  expect_all_gone();
}

TEST_P(hijack, leaving_after_a_half_close_cancels) {
  RawClient client = open("/attach");
  client.shutdown_write();
  EXPECT_TRUE(eventually([&] { return seen_.input_ended == 1; }));
  if (GetParam() == Transport::kTcp) {
    client.reset();
  } else {
    client.close();
  }
  EXPECT_TRUE(eventually([&] { return seen_.cancelled == 1; }));
  expect_all_gone();
}

TEST_P(hijack, leaving_cancels_where_the_input_is_not_read) {
  RawClient client = open("/ignore");
  EXPECT_GT(client.send_until_full(64 << 20), 64u * 1024);
  if (GetParam() == Transport::kTcp) {
    client.reset();
  } else {
    client.close();
  }
  EXPECT_TRUE(eventually([&] { return seen_.cancelled == 1; }));
  expect_all_gone();
}

}  // namespace
}  // namespace quoll::http
