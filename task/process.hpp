// Child processes: started without a shell, waited for as tasks wait, and never left behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "task/fd.hpp"
#include "task/task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::task {

struct ProcessOptions {
  std::vector<std::string> argv;                // required; argv[0] is a path, or a name that PATH has
  std::optional<std::vector<std::string>> env;  // nothing: this process's own
  int standard_input = -1;                      // borrowed for the start, as all descriptors; -1: /dev/null
  int standard_output = -1;
  int standard_error = -1;
  std::vector<std::pair<int, int>> inherited_fds;  // ours, and its number in the child
  std::string working_directory;                   // empty: this process's own
  bool new_process_group = false;
  bool new_session = false;
};

struct ProcessExit {
  int code = 0;    // of exit()
  int signal = 0;  // what killed it; 0: it exited
  bool success() const { return code == 0 && signal == 0; }
};

// One child. All other descriptors of this process are closed in it, signals are at their defaults.
//
// Lifetime: a child that still runs when its Process goes is killed and reaped.
// Thread:   the worker it was started on.
class Process {
 public:
  // Errors: of system_error(), naming the program.
  static Process start(const ProcessOptions& options);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  // Cancel: the child runs on; wait() may be called again.
  Task<ProcessExit> wait();
  // Sends a signal to the process, or to the group that it was started in as leader; nothing where it has ended.
  void kill(int signal);

 private:
  Process(pid_t pid, UniqueFd pidfd, bool leads_group);

  pid_t pid_ = 0;  // 0: reaped
  bool leads_group_ = false;
  AsyncFd pidfd_;
  std::optional<ProcessExit> exit_;
};

struct CommandOptions {
  std::optional<std::vector<std::string>> env;
  std::string standard_input;
  std::size_t output_bytes_max = 1 << 20;  // of each stream; what is more is read and dropped
};

struct CommandResult {
  ProcessExit exit;
  std::string standard_output;
  std::string standard_error;
};

// Runs a program to its end.
//
// Cancel: its process group is killed and reaped before Cancelled goes on. Bound its time by with_deadline().
// Errors: of system_error() where it cannot be started; its own failure is in the result.
Task<CommandResult> run_command(std::vector<std::string> argv, CommandOptions options = {});

}  // namespace quoll::task
