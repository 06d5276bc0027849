// leaky_exec_server: the same as exec_server, written so that it leaks. It is here to be convicted: /debug/leaks names
// both faults, each with the stack, the request and the reason.
//
// 1. /exec hands the command to a blocking call and never looks at the token: who asks for `sleep 10000` and hangs up
//    leaves a task, a thread and a process behind.
// 2. /subscribe waits on a channel that nobody will ever send to: the only sender that is left is its own.
#include <signal.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <quoll/debug/routes.hpp>
#include <quoll/http/router.hpp>
#include <quoll/http/server.hpp>
#include <quoll/task/block_on.hpp>
#include <quoll/task/blocking.hpp>
#include <quoll/task/channel.hpp>
#include <quoll/task/error.hpp>
#include <quoll/task/runtime.hpp>
#include <quoll/task/scope.hpp>

using namespace quoll;

namespace {

std::string combined_output(const std::string& command) {
  std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw system_error(errno, command);
  std::string output;
  std::array<char, 4096> buffer;
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe))
    output.append(buffer.data(), count);
  ::pclose(pipe);
  return output;
}

task::Task<void> exec(http::Request& request, http::Response& response) {
  const std::string command = request.query("cmd").value_or("") + " " + request.query("args").value_or("");
  const std::string output = co_await task::blocking([command] { return combined_output(command); });
  co_await response.send(output, "text/plain; charset=utf-8");
}

// Tasks that nothing ever cancels: they outlive the requests that began them.
class Background {
 public:
  task::Task<void> subscribe(http::Request&, http::Response& response) {
    auto [sender, receiver] = task::make_channel<int>(0);
    tasks_.spawn("wait for a message", wait_for_message(std::move(sender), std::move(receiver)));
    co_await response.send("subscribed\n", "text/plain; charset=utf-8");
  }

 private:
  static task::Task<void> wait_for_message(task::Sender<int> kept, task::Receiver<int> receiver) {
    co_await receiver.receive();
    kept.close();
  }

  task::Scope tasks_{"background", task::Scope::Kind::kRoot};
};

}  // namespace

int main(int argc, char** argv) {
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGINT);
  ::sigaddset(&ending, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  task::Runtime runtime;
  runtime.add_worker("worker-0");
  runtime.add_worker("worker-1");
  Background background;
  http::Router router;
  router.add("GET", "/exec", exec);
  router.add("GET", "/subscribe", [&background](http::Request& request, http::Response& response) {
    return background.subscribe(request, response);
  });
  debug::add_debug_routes(router, runtime);
  http::ServerOptions options;
  options.guard_origin = true;
  http::Server server(runtime, router, options);
  const std::uint16_t port =
      server.listen_tcp("127.0.0.1", static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 8080));
  runtime.start();
  std::printf("listening on http://127.0.0.1:%d\n", port);
  std::fflush(stdout);

  int signal = 0;
  ::sigwait(&ending, &signal);
  std::_Exit(0);  // what it has leaked would never let it end in order
}
