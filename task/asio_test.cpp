#include "task/asio.hpp"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

namespace asio = boost::asio;
using Socket = asio::local::stream_protocol::socket;

// Two connected sockets on the test's worker.
struct Pair {
  explicit Pair(TestRuntime& test) : near(test.worker().context()), far(test.worker().context()) {
    asio::local::connect_pair(near, far);
  }
  Socket near;
  Socket far;
};

void write_now(Socket& socket, std::string_view bytes) { asio::write(socket, asio::buffer(bytes)); }

struct Outcome {
  bool done = false;
  bool cancelled = false;
  boost::system::error_code error;
  std::size_t size = 0;
};

Task<void> read_once(Socket& socket, Outcome* outcome) {
  std::array<char, 64> bytes;
  try {
    auto [error, n] = co_await socket.async_read_some(asio::buffer(bytes), use);
    outcome->error = error;
    outcome->size = n;
  } catch (const Cancelled&) {
    outcome->cancelled = true;
  }
  outcome->done = true;
}

TEST(asio, a_read_returns_what_arrives) {
  TestRuntime test;
  Pair pair(test);
  Scope scope("test");
  Outcome outcome;
  test.spawn(scope, "read", read_once(pair.near, &outcome));
  test.poll();
  EXPECT_FALSE(outcome.done);
  EXPECT_EQ(test.worker().tasks()[0]->state, TaskState::kIoWait);
  write_now(pair.far, "abc");
  test.poll();
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.size, 3u);
}

TEST(asio, a_cancelled_read_throws_and_leaves_the_socket_usable) {
  TestRuntime test;
  Pair pair(test);
  Outcome outcome;
  {
    Scope scope("test");
    test.spawn(scope, "read", read_once(pair.near, &outcome));
    test.poll();
    scope.cancel(CancelReason::kClientGone);
    test.poll();
    EXPECT_EQ(scope.size(), 0u);
  }
  EXPECT_TRUE(outcome.cancelled);
  write_now(pair.far, "ab");
  Outcome second;
  test.run(read_once(pair.near, &second));
  EXPECT_EQ(second.size, 2u);
}

TEST(asio, a_read_that_completed_before_the_cancel_keeps_its_bytes) {
  TestRuntime test;
  Pair pair(test);
  Scope scope("test");
  Outcome outcome;
  test.spawn(scope, "read", read_once(pair.near, &outcome));
  test.poll();
  write_now(pair.far, "abc");
  // The cancel is queued behind the poll of the reactor, which finds the bytes.
  scope.cancel(CancelReason::kClientGone);
  test.poll();
  EXPECT_EQ(scope.size(), 0u);
  EXPECT_EQ(outcome.cancelled ? 0u : outcome.size, outcome.cancelled ? 0u : 3u);
  if (outcome.cancelled) {
    Outcome rest;
    test.run(read_once(pair.near, &rest));
    EXPECT_EQ(rest.size, 3u) << "neither reader has the bytes";
  }
}

TEST(asio, an_await_under_a_cancelled_token_does_not_start_the_operation) {
  TestRuntime test;
  Pair pair(test);
  write_now(pair.far, "abc");
  Scope scope("test");
  scope.cancel(CancelReason::kUser);
  Outcome outcome;
  test.spawn(scope, "read", read_once(pair.near, &outcome));
  test.poll();
  EXPECT_TRUE(outcome.cancelled);
  EXPECT_EQ(pair.near.available(), 3u);
}

TEST(asio, an_operations_own_error_is_returned_not_thrown) {
  TestRuntime test;
  Pair pair(test);
  pair.far.close();
  Outcome outcome;
  test.run(read_once(pair.near, &outcome));
  EXPECT_EQ(outcome.error, asio::error::eof);
}

TEST(asio, closing_the_socket_under_a_reader_returns_the_error_to_it) {
  TestRuntime test;
  Pair pair(test);
  Scope scope("test");
  Outcome outcome;
  test.spawn(scope, "read", read_once(pair.near, &outcome));
  test.poll();
  pair.near.close();
  test.poll();
  EXPECT_TRUE(outcome.done);
  EXPECT_FALSE(outcome.cancelled);
  EXPECT_EQ(outcome.error, asio::error::operation_aborted);
}

Task<int> hop() {
  // dispatch() calls its handler before it returns, since this is the executor's own thread.
  co_await asio::dispatch(this_task::worker().context(), use);
  co_await asio::post(this_task::worker().context(), use);
  co_return 5;
}

TEST(asio, an_operation_may_complete_inside_its_initiation) {
  TestRuntime test;
  EXPECT_EQ(test.run(hop()), 5);
}

struct ThrowingInitiation {
  template <typename Handler>
  void operator()(Handler&&) const {
    throw std::runtime_error("cannot start");
  }
};

Task<bool> fails_to_start() {
  bool clean = false;
  try {
    co_await asio::async_initiate<const UseTask&, void(boost::system::error_code)>(ThrowingInitiation(), use);
  } catch (const std::runtime_error&) {
    const TaskRecord& record = this_task::record();
    clean = record.wait == nullptr && record.state == TaskState::kRunning;
  }
  co_return clean;
}

TEST(asio, an_operation_that_fails_to_start_leaves_the_task_running) {
  TestRuntime test;
  EXPECT_TRUE(test.run(fails_to_start()));
}

// A composed read that, as many libraries' do, never asks whether it was cancelled between two of its steps.
template <typename Token>
auto read_100_bytes_deaf(Socket& socket, std::array<char, 100>& bytes, Token&& token) {
  std::size_t have = 0;
  return asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
      [&socket, &bytes, have](auto& self, boost::system::error_code error = {}, std::size_t n = 0) mutable {
        have += n;
        if (error || have == bytes.size()) return self.complete(error, have);
        socket.async_read_some(asio::buffer(bytes) + have, std::move(self));
      },
      token, socket);
}

Task<void> read_deaf(Socket& socket, bool* cancelled) {
  std::array<char, 100> bytes;
  try {
    co_await read_100_bytes_deaf(socket, bytes, use);
  } catch (const Cancelled&) {
    *cancelled = true;
  }
}

Task<void> yield_once() { co_await yield(); }
Task<void> cancel_now(Scope* scope) {
  scope->cancel(CancelReason::kClientGone);
  co_return;
}

// Goal: a cancel that arrives while a step's completion is already queued must not be lost.
// Method: in one turn of the worker, the yield queues the next turn, the read queues its first completion behind that,
// and the cancel is then seen in the next turn, when there is no operation to cancel.
TEST(asio, a_cancel_between_two_steps_of_a_composed_operation_still_ends_it) {
  ManualClock clock;
  TestRuntime test(clock);
  Pair pair(test);
  write_now(pair.far, "x");
  Scope reader("reader");
  Scope others("others");
  bool cancelled = false;
  test.spawn(others, "yield", yield_once());
  test.spawn(reader, "read", read_deaf(pair.near, &cancelled));
  test.spawn(others, "cancel", cancel_now(&reader));
  test.poll();
  clock.set(clock.now_ns() + 1'000'000'000);
  test.worker().fire_due_timers();
  test.poll();
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(reader.size(), 0u);
  pair.near.close();
  test.poll();
}

Task<void> exchange(Socket& near, Socket& far) {
  std::array<char, 4> bytes;
  std::string_view text = "ping";
  co_await asio::async_write(near, asio::buffer(text), use);
  co_await asio::async_read(far, asio::buffer(bytes), use);
  asio::steady_timer timer(this_task::worker().context(), std::chrono::microseconds(10));
  co_await timer.async_wait(use);
  near.close();
  auto [error, n] = co_await far.async_read_some(asio::buffer(bytes), use);
  if (error != asio::error::eof) throw std::runtime_error("expected the end");
}

TEST(asio, cancelled_at_every_await_nothing_is_left) {
  TestRuntime test;
  std::optional<Pair> pair;
  const int suspensions = cancel_at_every_await(
      test,
      [&] {
        pair.emplace(test);
        return exchange(pair->near, pair->far);
      },
      [&] { EXPECT_EQ(test.runtime().task_count(), 0u); });
  EXPECT_GE(suspensions, 4);
}

}  // namespace
}  // namespace quoll::task
