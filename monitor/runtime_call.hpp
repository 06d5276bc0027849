// Has the OCI runtime make the process, with standard streams that are ours.
#pragma once

#include <sys/types.h>

#include <string>

#include "monitor/options.hpp"
#include "monitor/relay.hpp"

namespace quoll::monitor {

// What has ended among this process's children and those that were left to it.
class Children {
 public:
  // Blocks SIGCHLD, and becomes the parent of orphans.
  Children();
  // Readable when there may be something to reap.
  int signal_fd() const { return signal_fd_; }
  // Reaps all that has ended. Remembers the status of each until its pid is watched, since a process may end before
  // anybody tells which it is.
  void reap();
  // The exit code of `pid`, 128 + N for signal N; -1 while it runs.
  int exit_code(pid_t pid) const;

 private:
  struct Ended {
    pid_t pid;
    int code;
  };
  int signal_fd_ = -1;
  std::vector<Ended> ended_;
};

struct Made {
  pid_t pid = 0;      // of the process; 0: there is none
  int code = 0;       // the runtime's, where it failed
  std::string error;  // in its words
  Stdio stdio;
};

// REQUIRES: the bundle is the working directory.
Made make_process(const Options& options, Children& children);

}  // namespace quoll::monitor
