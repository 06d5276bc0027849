// exec_server: GET /exec?cmd=ls&args=-l%20/ runs a command and streams what it prints.
//
// Nothing here looks at whether the client is still there. When it leaves, the await that the handler is suspended in
// throws, `process` goes out of scope, and with it the command's whole process group: killed and reaped.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <quoll/debug/routes.hpp>
#include <quoll/http/router.hpp>
#include <quoll/http/server.hpp>
#include <quoll/task/block_on.hpp>
#include <quoll/task/error.hpp>
#include <quoll/task/process.hpp>
#include <quoll/task/runtime.hpp>
#include <sstream>

using namespace quoll;

namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "make a pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<std::string> command_of(const http::Request& request) {
  std::vector<std::string> argv{request.query("cmd").value_or("")};
  if (argv.front().empty()) throw Error(ErrorClass::kInvalidArgument, "cmd: which command?");
  std::istringstream args(request.query("args").value_or(""));
  for (std::string word; args >> word;) argv.push_back(word);
  return argv;
}

task::Process start(const http::Request& request, int output) {
  task::ProcessOptions options;
  options.argv = command_of(request);
  options.standard_output = options.standard_error = output;
  options.new_process_group = true;
  return task::Process::start(options);
}

task::Task<void> exec(http::Request& request, http::Response& response) {
  Pipe pipe = make_pipe();
  task::Process process = start(request, pipe.write.get());  // no such program: an Error, and a 404
  pipe.write.reset();
  task::AsyncFd output(std::move(pipe.read));

  response.set_header("Trailer", "X-Exit-Status");
  co_await response.start_stream("text/plain; charset=utf-8");
  std::array<char, 16 * 1024> buffer;
  while (const std::size_t count = co_await output.read_some(buffer)) co_await response.write({buffer.data(), count});
  const task::ProcessExit exit = co_await process.wait();
  response.set_trailer("X-Exit-Status", to_string(exit));
}

}  // namespace

int main(int argc, char** argv) {
  // Blocked before any thread is made, so that sigwait() below is the one who gets them.
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGINT);
  ::sigaddset(&ending, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  task::Runtime runtime;
  runtime.add_worker("worker-0");
  runtime.add_worker("worker-1");
  http::Router router;
  router.add("GET", "/exec", exec);
  debug::add_debug_routes(router, runtime);
  http::ServerOptions options;
  // Whoever reaches the port may run commands: loopback only, and no web page.
  options.guard_origin = true;
  http::Server server(runtime, router, options);
  const std::uint16_t port =
      server.listen_tcp("127.0.0.1", static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 8080));
  runtime.start();
  std::printf("listening on http://127.0.0.1:%d\n", port);
  std::fflush(stdout);

  int signal = 0;
  ::sigwait(&ending, &signal);
  task::block_on(runtime.worker(0), "stop", server.stop(std::chrono::seconds(1)));
}
