// run_command(): a process with its three pipes.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/process.hpp"

namespace quoll::task {
namespace {

constexpr auto kReapTimeMax = std::chrono::seconds(10);
constexpr auto kKillablePoll = std::chrono::milliseconds(5);

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "make a pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// One of the command's output streams, kept up to a limit and read to its end.
class Output {
 public:
  Output(UniqueFd fd, std::size_t bytes_max) : fd_(std::move(fd)), bytes_max_(bytes_max) {}

  Task<void> read_all() {
    std::array<char, 4096> buffer;
    while (const std::size_t n = co_await fd_.read_some(buffer)) append({buffer.data(), n});
  }

  // What the command has written and nobody has read yet. A pipe holds no more than its size; what others write
  // meanwhile is not the command's.
  void read_rest() {
    std::array<char, 4096> buffer;
    for (int left = ::fcntl(fd_.get(), F_GETPIPE_SZ); left > 0;) {
      const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      append({buffer.data(), static_cast<std::size_t>(n)});
      left -= static_cast<int>(n);
    }
  }

  std::string take() { return std::move(text_); }
  bool truncated() const { return truncated_; }

 private:
  void append(std::string_view bytes) {
    const std::size_t room = bytes_max_ - text_.size();
    if (bytes.size() > room) truncated_ = true;
    text_.append(bytes.substr(0, room));
  }

  AsyncFd fd_;
  const std::size_t bytes_max_;
  std::string text_;
  bool truncated_ = false;
};

// A command may end, or close its stdin, without having read all.
Task<void> feed(UniqueFd fd, std::string input) {
  AsyncFd sink(std::move(fd));
  try {
    co_await sink.write_all(input);
  } catch (const Error&) {
    // It is a pipe, so all that can have happened is that nobody reads it any more.
  }
}

struct Running {
  Process process;
  UniqueFd input;
  Output output;
  Output error_output;
};

Running start(std::vector<std::string> argv, const CommandOptions& options) {
  Pipe input, output = make_pipe(), error_output = make_pipe();
  if (!options.standard_input.empty()) input = make_pipe();
  ProcessOptions process;
  process.argv = std::move(argv);
  process.env = options.env;
  process.standard_input = input.read.get();
  process.standard_output = output.write.get();
  process.standard_error = error_output.write.get();
  process.inherited_fds = options.inherited_fds;
  process.working_directory = options.working_directory;
  process.new_process_group = true;
  return {Process::start(process), std::move(input.write), Output(std::move(output.read), options.output_bytes_max),
          Output(std::move(error_output.read), options.output_bytes_max)};
}

// Ends with the command, not with its pipes: a child that it leaves behind may hold them open for ever.
Task<void> run_to_end(Running& running, CommandOptions& options) {
  Scope scope("task.run_command");
  std::exception_ptr failure;
  try {
    scope.spawn("run_command: read stdout", running.output.read_all());
    scope.spawn("run_command: read stderr", running.error_output.read_all());
    if (running.input)
      scope.spawn("run_command: write stdin", feed(std::move(running.input), std::move(options.standard_input)));
    co_await running.process.wait();
  } catch (...) {
    failure = std::current_exception();
  }
  scope.cancel(CancelReason::kParent);
  try {
    co_await scope.join();
  } catch (...) {
    if (!failure) failure = std::current_exception();
  }
  if (failure) std::rethrow_exception(failure);
  running.output.read_rest();
  running.error_output.read_rest();
}

Task<void> wait_for_exit(Process& process) { co_await process.wait(); }

// Returns once the command may be killed, or has ended.
Task<void> wait_until_killable(Process& process, const std::function<bool()>& killable) {
  while (!killable()) {
    try {
      co_await with_deadline(kKillablePoll, wait_for_exit(process));
      co_return;
    } catch (const Error& error) {
      if (error.error_class() != ErrorClass::kDeadlineExceeded) throw;
    }
  }
}

Task<void> kill_and_reap(Process& process, const std::function<bool()>& killable) {
  if (killable) {
    try {
      co_await with_deadline(kKillDelayMax, wait_until_killable(process, killable));
    } catch (const Error&) {
      // It has had its time.
    }
  }
  process.kill(SIGKILL);
  co_await process.wait();
}

Task<CommandResult> run(std::vector<std::string> argv, CommandOptions options) {
  Running running = start(std::move(argv), options);
  std::exception_ptr failure;
  try {
    co_await run_to_end(running, options);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await shielded(kReapTimeMax, kill_and_reap(running.process, options.killable));
    std::rethrow_exception(failure);
  }
  CommandResult result{co_await running.process.wait(), running.output.take(), running.error_output.take()};
  result.truncated = running.output.truncated() || running.error_output.truncated();
  co_return result;
}

}  // namespace

Task<CommandResult> run_command(std::vector<std::string> argv, CommandOptions options) {
  const std::string program = argv.empty() ? std::string() : argv[0];
  const auto time_limit = options.time_limit.value_or(std::chrono::nanoseconds::max());
  try {
    co_return co_await with_deadline(time_limit, run(std::move(argv), std::move(options)));
  } catch (const Error& error) {
    if (error.message().starts_with(program + ":")) throw;
    throw Error(error.error_class(), program + ": " + error.message());
  }
}

}  // namespace quoll::task
