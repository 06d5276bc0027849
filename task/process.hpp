// Child processes: started, waited for by pidfd, and never left behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "task/fd.hpp"
#include "task/task.hpp"

namespace quoll::task {

class Worker;

// How a process ended: by exit (`signal` is 0) or by a signal.
struct ProcessExit {
  int code = 0;
  int signal = 0;

  bool success() const { return code == 0 && signal == 0; }
};

// "exit status 3", "signal 9 (Killed)".
std::string to_string(const ProcessExit& exit);

// All descriptors are borrowed for the call of start() only, and their close-on-exec flags do not matter. The child
// gets these and no others, default signal actions and an empty signal mask.
struct ProcessOptions {
  std::vector<std::string> argv;                // required; argv[0] is a path, or a name that PATH has
  std::optional<std::vector<std::string>> env;  // "NAME=value"; nothing: this process's own
  int standard_input = -1;                      // -1: /dev/null
  int standard_output = -1;
  int standard_error = -1;
  std::vector<std::pair<int, int>> inherited_fds;  // ours, and its number in the child
  std::string working_directory;                   // empty: this process's own
  bool new_process_group = false;
  bool new_session = false;
};

// Lifetime: the destructor kills the process (its whole group, if it leads one) where it still runs, and has it reaped,
//           so no zombie stays.
// Thread:   the worker it was started on.
// Cancel:   a cancelled wait() leaves the process as it is; it can be waited for again.
// Errors:   name the program.
// Signals:  SIGCHLD is not used and may be handled or blocked; where it is ignored, start() restores the default, since
//           the kernel would throw the exit status away.
class Process {
 public:
  // Returns once the program runs: a missing program or directory is an Error here.
  // REQUIRES: called from a task, or from a worker's thread.
  static Process start(const ProcessOptions& options);
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  // Returns at once, and the same again, after the first time. The process must not be moved meanwhile.
  Task<ProcessExit> wait();
  // Sends a signal to the process, or to the group that it was started in as leader; false where there is none left.
  bool kill(int signal);

 private:
  Process(std::string program, pid_t pid, AsyncFd pidfd, bool leads_group);
  bool reap();

  std::string program_;
  pid_t pid_;  // 0 where moved from
  AsyncFd pidfd_;
  bool leads_group_;
  Worker* worker_;
  std::optional<ProcessExit> exit_;
};

struct CommandOptions {
  std::optional<std::vector<std::string>> env;
  std::vector<std::pair<int, int>> inherited_fds;
  std::string working_directory;
  std::string standard_input;
  std::size_t output_bytes_max = 1 << 20;              // of each stream; what is more is read and dropped
  std::optional<std::chrono::nanoseconds> time_limit;  // nothing: none
  // Asked every few milliseconds before the command is killed early, until it says true, for kKillDelayMax at most: for
  // a command that in its first moments makes what nobody else could find. Nothing: it is killed at once.
  std::function<bool()> killable;
};

constexpr std::chrono::seconds kKillDelayMax{2};

struct CommandResult {
  ProcessExit exit;
  std::string standard_output;
  std::string standard_error;
  bool truncated = false;  // either of them
};

// Runs a command in a process group of its own, until the command has ended: what it left running may keep its
// pipes open, but is not waited for.
// Cancel:   kills the group and reaps the command before Cancelled goes on; `killable` may delay that.
// Errors:   name the program; kDeadlineExceeded after `time_limit`. An exit status is a value, whatever it is.
Task<CommandResult> run_command(std::vector<std::string> argv, CommandOptions options = {});

}  // namespace quoll::task
