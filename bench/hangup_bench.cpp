// In one process, without containers: how long from a client's close to the end of the handler that served it.
//
//     hangup_bench --count N [--idle CONNECTIONS]
//
// The handler waits on a channel that nobody sends to, as a follower of a silent log does. Prints, for UNIX and for TCP
// sockets, {"unix_p50_us", "unix_p99_us", "tcp_p50_us", "tcp_p99_us"}.
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <future>
#include <thread>

#include "bench/client.hpp"
#include "http/server.hpp"
#include "task/channel.hpp"
#include "task/runtime.hpp"
#include "task/scope.hpp"

namespace {

using namespace quoll;

std::atomic<std::int64_t> handler_end_ns{0};

struct EndMark {
  ~EndMark() { handler_end_ns.store(bench::now_ns(), std::memory_order_release); }
};

task::Task<void> follow_silence(http::Request&, http::Response& response) {
  const EndMark mark;
  auto [sender, receiver] = task::make_channel<int>(1);
  co_await response.start_stream("text/plain");
  co_await receiver.receive();
}

std::vector<double> measure(const std::string& target, long count) {
  std::vector<double> latencies_us;
  for (long i = 0; i < count; ++i) {
    const int fd = bench::connect_to(target);
    const std::string request = bench::get_request("/silence");
    char buffer[4096];
    if (::write(fd, request.data(), request.size()) < 0 || ::read(fd, buffer, sizeof(buffer)) <= 0)
      bench::fail_errno("client");
    ::usleep(200);  // both threads sleep by then, as they do when a real client leaves
    handler_end_ns.store(0, std::memory_order_release);
    const std::int64_t start = bench::now_ns();
    ::close(fd);
    // Yielding rather than spinning: the server's thread may need this processor.
    while (handler_end_ns.load(std::memory_order_acquire) == 0) std::this_thread::yield();
    latencies_us.push_back(static_cast<double>(handler_end_ns.load(std::memory_order_acquire) - start) / 1e3);
  }
  return latencies_us;
}

task::Task<void> stop_server(http::Server& server, std::promise<void>& stopped) {
  co_await server.stop(std::chrono::seconds(1));
  stopped.set_value();
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments(argc, argv);
  bench::raise_descriptor_limit();
  char directory[] = "/tmp/quoll-hangup-XXXXXX";
  if (::mkdtemp(directory) == nullptr) bench::fail_errno("mkdtemp");
  const std::string socket = std::string(directory) + "/s";

  task::Runtime runtime;
  task::Worker& worker = runtime.add_worker("worker-0");
  http::Router router;
  router.add("GET", "/silence", follow_silence);
  http::Server server(runtime, router);
  task::Scope scope("hangup_bench", task::Scope::Kind::kRoot);
  server.listen_unix(socket);
  const std::string tcp = "127.0.0.1:" + std::to_string(server.listen_tcp("127.0.0.1", 0));
  runtime.start();

  std::vector<int> idle;
  for (long i = 0; i < arguments.number("idle", 0); ++i) idle.push_back(bench::connect_to(socket));
  const long count = arguments.number("count", 2000);
  measure(socket, count / 10);  // first uses of memory and code
  std::vector<double> over_unix = measure(socket, count);
  std::vector<double> over_tcp = measure(tcp, count);
  for (const int fd : idle) ::close(fd);

  std::promise<void> stopped;
  scope.spawn_on(worker, "hangup_bench: stop", stop_server(server, stopped));
  stopped.get_future().wait();
  while (scope.size() > 0) std::this_thread::yield();
  runtime.stop();
  ::unlink(socket.c_str());
  ::rmdir(directory);
  const bench::Percentiles a = bench::percentiles(over_unix);
  const bench::Percentiles b = bench::percentiles(over_tcp);
  std::printf("{\"unix_p50_us\": %.1f, \"unix_p99_us\": %.1f, \"tcp_p50_us\": %.1f, \"tcp_p99_us\": %.1f}\n", a.p50,
              a.p99, b.p50, b.p99);
}
