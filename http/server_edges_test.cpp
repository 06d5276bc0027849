// What a server does at its edges: foreign pages, limits, sockets and files, and how its tasks look in a dump.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <future>

#include "http/server.hpp"
#include "http/test_support.hpp"
#include "task/error.hpp"
#include "task/event.hpp"
#include "task/record.hpp"

namespace {
std::atomic<int> accepts_to_fail{0};
}

// Stands before libc's: a process that is really out of descriptors would take the sanitizers' own away, too.
extern "C" int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (accepts_to_fail > 0) {
    --accepts_to_fail;
    errno = EMFILE;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_accept4, fd, address, size, flags));
}

namespace quoll::http {
namespace {

task::Task<void> say_ok(Request&, Response& response) { co_await response.send("OK", "text/plain"); }

task::Task<void> stream_when(task::Event& go, Response& response) {
  co_await response.start_stream("text/plain");
  co_await go.wait();
  co_await response.write("x");
}

TEST(server_tcp, refuses_foreign_web_pages_where_asked_to) {
  TestServer guarded(
      ServerOptions{.guard_origin = true, .allowed_hosts = {"box.example"}, .allowed_origins = {"https://ui.example"}});
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

std::vector<std::string> functions_of(const task::TaskRecord& record) {
  std::vector<std::string> names;
  for (const task::Frame* frame = record.leaf; frame != nullptr; frame = frame->caller) {
    names.emplace_back(frame->at.function_name());
  }
  return names;
}

// A dump of a follower reads: the handler, the request, the connection, created by the accept loop; and the watch.
TEST(server_tasks, a_waiting_handler_is_two_tasks_and_its_chain_names_it) {
  task::Event go;
  TestServer server;
  server.route("GET", "/stream", [&](Request&, Response& response) { return stream_when(go, response); });
  server.start();
  RawClient client = server.connect(Transport::kTcp);
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.runtime().task_count() == TestServer::kIdleTasks + 2; }));
  server.settle();
  task::Worker& worker = server.runtime().worker(0);
  std::promise<void> looked;
  worker.post([&] {
    for (const task::TaskRecord* const record : worker.tasks()) {
      if (record->name != "http.connection") continue;
      const std::vector<std::string> names = functions_of(*record);
      ASSERT_EQ(names.size(), 3u);
      EXPECT_NE(names[0].find("stream_when"), std::string::npos);
      EXPECT_NE(names[1].find("serve_request"), std::string::npos);
      EXPECT_NE(names[2].find("serve_connection"), std::string::npos);
      EXPECT_NE(std::string(record->created_at.function_name()).find("accept_loop"), std::string::npos);
    }
    looked.set_value();
  });
  looked.get_future().wait();
  go.set();
  client.read_until("0\r\n\r\n");
}

TEST(server_adopt, serves_sockets_that_are_handed_over) {
  TestServer server;
  server.route("GET", "/ok", say_ok);
  server.start();
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  server.server().adopt_connection(UniqueFd(pair[0]));
  RawClient client{UniqueFd(pair[1])};
  EXPECT_EQ(client.get("/ok").body, "OK");
}

TEST(server_unix, socket_file_has_its_mode_and_is_removed) {
  TestServer server;
  server.route("GET", "/ok", say_ok);
  server.start();
  const std::string path = server.socket_path();
  struct stat status{};
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
  accepts_to_fail = 3;
  RawClient queued = server.connect(Transport::kTcp);
  EXPECT_EQ(first.get("/ok").status, 200);
  EXPECT_EQ(queued.get("/ok").status, 200);
  EXPECT_EQ(accepts_to_fail, 0);
}

}  // namespace
}  // namespace quoll::http
