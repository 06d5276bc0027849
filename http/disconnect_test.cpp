// The client's leaving cancels whatever its request started: while the handler waits for something else, while it
// uploads, while it does not read, after a hijack; by FIN and RST over TCP, by full and half close over UNIX sockets.
#include <sys/socket.h>

#include "http/test_support.hpp"
#include "task/event.hpp"
#include "task/scope.hpp"
#include "task/this_task.hpp"
#include "task/timer.hpp"

namespace quoll::http {
namespace {

// What the handlers under test did. Thread: any.
struct Seen {
  std::atomic<int> started{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> ended{0};
  std::atomic<int> failed{0};
  std::atomic<int> children_ended{0};
  std::atomic<task::CancelReason> reason{task::CancelReason::kNone};
  task::Event go;
};

// Counts how `work` ends.
task::Task<void> observed(Seen& seen, task::Task<void> work) {
  ++seen.started;
  try {
    co_await std::move(work);
    ++seen.ended;
  } catch (const task::Cancelled& cancelled) {
    seen.reason = cancelled.reason();
    ++seen.cancelled;
    throw;
  } catch (...) {
    ++seen.failed;
    throw;
  }
}

task::Task<void> wait_for_event(Seen& seen, Response& response) {
  co_await seen.go.wait();
  co_await response.send("went", "text/plain");
}

task::Task<void> follow_silence(Seen& seen, Response& response) {
  co_await response.start_stream("text/plain");
  co_await seen.go.wait();
  co_await response.write("line");
}

task::Task<void> count_end(Seen& seen) {
  struct Guard {
    Seen& seen;
    ~Guard() { ++seen.children_ended; }
  } guard{seen};
  co_await seen.go.wait();
}

task::Task<void> wait_with_children(Seen& seen, Response& response) {
  co_await response.start_stream("text/plain");
  task::Scope scope("children");
  for (int i = 0; i < 3; ++i) scope.spawn("child", count_end(seen));
  co_await scope.join();
  task::this_task::cancel_token().throw_if_cancelled();
}

task::Task<void> read_upload(Request& request, Response& response) {
  const std::string body = co_await request.read_body_all(1 << 30);
  co_await response.send(std::to_string(body.size()), "text/plain");
}

task::Task<void> read_lent_upload(Request& request, Response& response) {
  const std::string body = co_await read_lent(request, 1 << 30);
  co_await response.send(std::to_string(body.size()), "text/plain");
}

task::Task<void> read_lent_then_wait(Seen& seen, Request& request, Response& response) {
  const std::string body = co_await read_lent(request, 1000);
  co_await response.start_stream("text/plain");
  co_await seen.go.wait();
  co_await response.write(body);
}

task::Task<void> pour(Response& response) {
  const std::string block(64 * 1024, 'p');
  co_await response.start_stream("text/plain");
  while (true) co_await response.write(block);
}

task::Task<void> wait_shielded(Seen& seen, Request& request, Response& response) {
  const std::string body = co_await request.read_body_all(1000);
  co_await seen.go.wait();
  co_await response.send(body, "text/plain");
}

constexpr const char* kGet = " HTTP/1.1\r\nHost: x\r\n\r\n";

enum class Leaving { kTcpFin, kTcpReset, kUnixClose };

class disconnect : public testing::TestWithParam<Leaving> {
 protected:
  disconnect() {
    server_.route("GET", "/wait",
                  [this](Request&, Response& response) { return observed(seen_, wait_for_event(seen_, response)); });
    server_.route("GET", "/follow",
                  [this](Request&, Response& response) { return observed(seen_, follow_silence(seen_, response)); });
    server_.route("GET", "/children", [this](Request&, Response& response) {
      return observed(seen_, wait_with_children(seen_, response));
    });
    server_.route("POST", "/upload", [this](Request& request, Response& response) {
      return observed(seen_, read_upload(request, response));
    });
    server_.route("POST", "/upload-lent", [this](Request& request, Response& response) {
      return observed(seen_, read_lent_upload(request, response));
    });
    server_.route(
        "POST", "/lent-to-end",
        [this](Request& request, Response& response) { return observed(seen_, read_lent_upload(request, response)); },
        CancelPolicy::kRunToEnd);
    server_.route("POST", "/lent-then-wait", [this](Request& request, Response& response) {
      return observed(seen_, read_lent_then_wait(seen_, request, response));
    });
    server_.route("GET", "/pour", [this](Request&, Response& response) { return observed(seen_, pour(response)); });
    server_.route(
        "POST", "/run-to-end",
        [this](Request& request, Response& response) {
          return observed(seen_, wait_shielded(seen_, request, response));
        },
        CancelPolicy::kRunToEnd);
    server_.start();
  }

  RawClient connect() {
    return server_.connect(GetParam() == Leaving::kUnixClose ? Transport::kUnix : Transport::kTcp);
  }
  static void leave(RawClient& client) {
    if (GetParam() == Leaving::kTcpReset) {
      client.reset();
    } else {
      client.close();
    }
  }
  // REQUIRES: the handler has started. It must end by cancellation, and the connection with it.
  void expect_cancelled(int count = 1) {
    EXPECT_TRUE(eventually([&] { return seen_.cancelled == count; }));
    EXPECT_EQ(seen_.reason, task::CancelReason::kClientGone);
    EXPECT_TRUE(eventually([&] { return server_.server().connection_count() == 0; }));
    EXPECT_TRUE(eventually([&] { return server_.runtime().task_count() == TestServer::kIdleTasks; }));
  }
  void expect_started(int count = 1) {
    ASSERT_TRUE(eventually([&] { return seen_.started == count; }));
  }

  Seen seen_;
  TestServer server_;
};
INSTANTIATE_TEST_SUITE_P(leaving, disconnect,
                         testing::Values(Leaving::kTcpFin, Leaving::kTcpReset, Leaving::kUnixClose),
                         [](const auto& info) {
                           return info.param == Leaving::kTcpFin     ? "fin"
                                  : info.param == Leaving::kTcpReset ? "rst"
                                                                     : "unix";
                         });

TEST_P(disconnect, cancels_a_handler_that_waits_for_something_else) {
  RawClient client = connect();
  client.send(std::string("GET /wait") + kGet);
  expect_started();
  leave(client);
  expect_cancelled();
}

TEST_P(disconnect, cancels_a_silent_stream) {
  RawClient client = connect();
  client.send(std::string("GET /follow") + kGet);
  client.read_until("\r\n\r\n");
  leave(client);
  expect_cancelled();
}

TEST_P(disconnect, cancels_everything_below_the_request) {
  RawClient client = connect();
  client.send(std::string("GET /children") + kGet);
  client.read_until("\r\n\r\n");
  leave(client);
  expect_cancelled();
  EXPECT_EQ(seen_.children_ended, 3);
}

TEST_P(disconnect, cancels_an_upload) {
  RawClient client = connect();
  client.send("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\npart");
  expect_started();
  leave(client);
  expect_cancelled();
}

TEST_P(disconnect, cancels_an_upload_that_a_blocking_function_reads) {
  RawClient client = connect();
  client.send("POST /upload-lent HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\npart");
  expect_started();
  leave(client);
  expect_cancelled();
}

TEST_P(disconnect, is_seen_again_behind_a_body_that_was_lent) {
  RawClient client = connect();
  client.send("POST /lent-then-wait HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
  client.read_until("\r\n\r\n");
  leave(client);
  expect_cancelled();
}

TEST_P(disconnect, cancels_a_write_to_a_client_that_stopped_reading) {
  RawClient client = connect();
  client.send(std::string("GET /pour") + kGet);
  client.read_until("\r\n\r\n");
  leave(client);
  expect_cancelled();
}

TEST_P(disconnect, is_seen_behind_pipelined_requests) {
  RawClient client = connect();
  client.send(std::string("GET /wait") + kGet + "GET /wait" + kGet);
  expect_started();
  leave(client);
  expect_cancelled();
  EXPECT_EQ(seen_.started, 1);
}

TEST_P(disconnect, is_seen_when_the_read_ahead_is_full) {
  RawClient client = connect();
  client.send(std::string("GET /follow") + kGet);
  client.read_until("\r\n\r\n");
  // More than is read ahead, less than what fills the kernel's buffers: behind that TCP could not deliver a FIN.
  EXPECT_EQ(client.send_until_full(96 * 1024), 96u * 1024);
  leave(client);
  expect_cancelled();
}

TEST_P(disconnect, of_an_idle_client_frees_its_connection) {
  RawClient client = connect();
  EXPECT_EQ(client.get("/absent").status, 404);
  leave(client);
  EXPECT_TRUE(eventually([&] { return server_.server().connection_count() == 0; }));
}

TEST_P(disconnect, does_not_cancel_a_route_that_runs_to_its_end) {
  RawClient client = connect();
  client.send("POST /run-to-end HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
  expect_started();
  leave(client);
  // Another client's request, begun and cancelled after that, shows that the leaving has been worked off.
  RawClient other = connect();
  other.send(std::string("GET /follow") + kGet);
  other.read_until("\r\n\r\n");
  leave(other);
  EXPECT_TRUE(eventually([&] { return seen_.cancelled == 1; }));
  seen_.go.set();
  EXPECT_TRUE(eventually([&] { return seen_.ended + seen_.failed == 1; }));
  EXPECT_EQ(seen_.cancelled, 1);
  EXPECT_TRUE(eventually([&] { return server_.server().connection_count() == 0; }));
}

TEST_P(disconnect, ends_the_upload_of_a_route_that_runs_to_its_end) {
  RawClient client = connect();
  client.send("POST /run-to-end HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart");
  expect_started();
  leave(client);
  EXPECT_TRUE(eventually([&] { return seen_.failed == 1; }));
  EXPECT_EQ(seen_.cancelled, 0);
}

TEST_P(disconnect, ends_a_lent_upload_of_a_route_that_runs_to_its_end) {
  RawClient client = connect();
  client.send("POST /lent-to-end HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart");
  expect_started();
  leave(client);
  EXPECT_TRUE(eventually([&] { return seen_.failed == 1; }));
  EXPECT_EQ(seen_.cancelled, 0);
}

TEST_P(disconnect, of_500_clients_at_once_leaves_no_task_and_no_descriptor) {
  const std::size_t descriptors = open_descriptors();
  {
    std::vector<RawClient> clients;
    for (int i = 0; i < 500; ++i) {
      clients.push_back(connect());
      clients.back().send(std::string("GET /follow") + kGet);
    }
    for (RawClient& client : clients) client.read_until("\r\n\r\n");
    EXPECT_EQ(server_.server().connection_count(), 500u);
    for (RawClient& client : clients) leave(client);
    expect_cancelled(500);
  }
  EXPECT_TRUE(eventually([&] { return open_descriptors() == descriptors; }));
}

class half_close : public testing::Test {
 protected:
  half_close() {
    server_.route("GET", "/wait",
                  [this](Request&, Response& response) { return observed(seen_, wait_for_event(seen_, response)); });
    server_.start();
  }
  Seen seen_;
  TestServer server_;
};

TEST_F(half_close, of_a_unix_client_is_not_its_leaving) {
  RawClient client = server_.connect(Transport::kUnix);
  client.send(std::string("GET /wait") + kGet);
  ASSERT_TRUE(eventually([&] { return seen_.started == 1; }));
  client.shutdown_write();
  server_.settle();
  EXPECT_EQ(seen_.cancelled, 0);
  seen_.go.set();
  EXPECT_EQ(client.read_answer().body, "went");
  EXPECT_TRUE(client.at_end());
}

TEST_F(half_close, of_a_unix_client_keeps_its_pipelined_requests) {
  seen_.go.set();
  RawClient client = server_.connect(Transport::kUnix);
  client.send(std::string("GET /wait") + kGet + "GET /wait" + kGet);
  client.shutdown_write();
  EXPECT_EQ(client.read_answer().body, "went");
  EXPECT_EQ(client.read_answer().body, "went");
  EXPECT_TRUE(client.at_end());
}

TEST_F(half_close, then_full_close_of_a_unix_client_cancels) {
  RawClient client = server_.connect(Transport::kUnix);
  client.send(std::string("GET /wait") + kGet);
  ASSERT_TRUE(eventually([&] { return seen_.started == 1; }));
  client.shutdown_write();
  server_.settle();
  EXPECT_EQ(seen_.cancelled, 0);
  client.close();
  EXPECT_TRUE(eventually([&] { return seen_.cancelled == 1; }));
}

}  // namespace
}  // namespace quoll::http
