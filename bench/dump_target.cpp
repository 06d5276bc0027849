// dump_target: N tasks blocked some frames deep on a channel, the debug routes, and a timer of 1 ms that knows its
// longest stall. What is measured on it: how long a dump of all tasks takes, and whom it holds up. Its peer with as
// many goroutines is dump_target.go.
//
//   dump_target TASKS PORT        prints "ready PORT"; ends on SIGTERM or SIGINT
//   GET /stall                    the longest stall in µs since the last time it was asked
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "debug/routes.hpp"
#include "http/server.hpp"
#include "task/block_on.hpp"
#include "task/channel.hpp"
#include "task/clock.hpp"
#include "task/runtime.hpp"
#include "task/scope.hpp"
#include "task/timer.hpp"

using namespace quoll;

namespace {

constexpr int kWorkers = 2;
constexpr std::int64_t kTickNs = 1'000'000;

task::Task<void> read_message(const task::Receiver<int>& receiver) { co_await receiver.receive(); }
task::Task<void> next_event(const task::Receiver<int>& receiver) { co_await read_message(receiver); }
task::Task<void> follow(const task::Receiver<int>& receiver) { co_await next_event(receiver); }
task::Task<void> serve_follower(const task::Receiver<int>* receiver) { co_await follow(*receiver); }

std::atomic<std::int64_t> longest_stall_ns{0};

// One on each worker: by how much a tick came later than it should have.
task::Task<void> tick() {
  while (true) {
    const std::int64_t before_ns = task::precise_now_ns();
    co_await task::sleep_for(std::chrono::nanoseconds(kTickNs));
    const std::int64_t stall_ns = task::precise_now_ns() - before_ns - kTickNs;
    std::int64_t longest_ns = longest_stall_ns.load();
    while (stall_ns > longest_ns && !longest_stall_ns.compare_exchange_weak(longest_ns, stall_ns)) {
    }
  }
}

task::Task<void> stall(http::Request&, http::Response& response) {
  const std::string text = std::to_string(longest_stall_ns.exchange(0) / 1000) + "\n";
  co_await response.send(text, "text/plain");
}

task::Task<void> spawn_blocked(task::Scope& scope, const task::Receiver<int>& receiver, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    scope.spawn("follower", serve_follower(&receiver));
    if (i % 1000 == 0) co_await task::yield();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "dump_target TASKS PORT\n"), 2;
  const std::size_t tasks = std::strtoul(argv[1], nullptr, 10);
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGINT);
  ::sigaddset(&ending, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  task::Runtime runtime;
  for (int i = 0; i < kWorkers; ++i) runtime.add_worker("worker-" + std::to_string(i));
  task::Worker& debug_worker = runtime.add_worker("debug");
  http::Router router;
  router.add("GET", "/stall", stall);
  debug::add_debug_routes(router, runtime);
  http::Server server({&debug_worker}, router);
  const std::uint16_t port = server.listen_tcp("127.0.0.1", static_cast<std::uint16_t>(std::atoi(argv[2])));
  auto [sender, receiver] = task::make_channel<int>(0);
  task::Scope followers("followers", task::Scope::Kind::kRoot);
  task::Scope ticks("ticks", task::Scope::Kind::kRoot);
  runtime.start();
  for (int i = 0; i < kWorkers; ++i) {
    ticks.spawn_on(runtime.worker(i), "tick", tick());
    task::block_on(runtime.worker(i), "spawn", spawn_blocked(followers, receiver, tasks / kWorkers));
  }
  std::printf("ready %d\n", port);
  std::fflush(stdout);

  int signal = 0;
  ::sigwait(&ending, &signal);
  task::block_on(debug_worker, "stop", server.stop(std::chrono::seconds(0)));
  std::_Exit(0);  // to end a million tasks one by one is not what is measured
}
