// Time limits, on a clock that the tests move.
#include "http/test_support.hpp"
#include "task/event.hpp"
#include "task/this_task.hpp"
#include "task/timer.hpp"

namespace quoll::http {
namespace {

using std::chrono::milliseconds;

task::Task<void> say_ok(Request&, Response& response) { co_await response.send("OK", "text/plain"); }

task::Task<void> pour(std::atomic<int>& cancelled, Response& response) {
  const std::string block(64 * 1024, 'p');
  try {
    co_await response.start_stream("text/plain");
    while (true) co_await response.write(block);
  } catch (const task::Cancelled&) {
    ++cancelled;
    throw;
  }
}

class timeouts : public testing::Test {
 protected:
  timeouts()
      : server_(ServerOptions{.idle_timeout = milliseconds(180'000),
                              .header_timeout = milliseconds(20'000),
                              .write_timeout = milliseconds(60'000),
                              .stream_write_timeout = milliseconds(500'000)},
                milliseconds(0), &clock_) {
    server_.route("GET", "/ok", say_ok);
    server_.route("GET", "/pour", [this](Request&, Response& response) { return pour(cancelled_, response); });
    server_.start();
  }
  // Moves the clock and lets the workers see it.
  void pass(std::chrono::seconds time) {
    server_.settle();
    clock_.set(clock_.now_ns() + std::chrono::nanoseconds(time).count());
    for (const auto& worker : server_.runtime().workers()) {
      worker->post([target = worker.get()] { target->fire_due_timers(); });
    }
    server_.settle();
  }
  bool all_gone() {
    return eventually([&] { return server_.server().connection_count() == 0; });
  }

  std::atomic<int> cancelled_{0};
  task::ManualClock clock_;
  TestServer server_;
};

TEST_F(timeouts, idle_connections_are_closed_and_used_ones_are_not) {
  RawClient idle = server_.connect(Transport::kTcp);
  RawClient busy = server_.connect(Transport::kUnix);
  EXPECT_EQ(idle.get("/ok").status, 200);
  EXPECT_EQ(busy.get("/ok").status, 200);
  pass(std::chrono::seconds(170));
  EXPECT_EQ(busy.get("/ok").status, 200);
  pass(std::chrono::seconds(11));
  EXPECT_TRUE(idle.at_end());
  EXPECT_EQ(busy.get("/ok").status, 200);
  pass(std::chrono::seconds(181));
  EXPECT_TRUE(busy.at_end());
  EXPECT_TRUE(all_gone());
}

TEST_F(timeouts, a_head_that_does_not_end_is_408) {
  RawClient slow = server_.connect(Transport::kTcp);
  // The answer to the first request shows that the beginning of the second one has been taken up.
  slow.send("GET /ok HTTP/1.1\r\nHost: x\r\n\r\nGET /ok HTTP/1.1\r\nHo");
  EXPECT_EQ(slow.read_answer().status, 200);
  pass(std::chrono::seconds(21));
  const RawClient::Answer answer = slow.read_answer();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(slow.at_end());
  pass(std::chrono::seconds(2));
  EXPECT_TRUE(all_gone());
}

TEST_F(timeouts, a_client_that_takes_nothing_is_dropped) {
  RawClient stuck = server_.connect(Transport::kUnix);
  stuck.send("GET /pour HTTP/1.1\r\nHost: x\r\n\r\n");
  stuck.read_until("\r\n\r\n");
  EXPECT_TRUE(eventually([&] {
    pass(std::chrono::seconds(501));
    return cancelled_ == 1;
  }));
  EXPECT_TRUE(all_gone());
}

}  // namespace
}  // namespace quoll::http
