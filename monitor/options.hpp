// The command line of quoll-monitor.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace quoll::monitor {

struct Options {
  bool exec = false;     // an exec in a container rather than a container
  std::string id;        // the container's
  std::string exec_id;   // only with exec; its files in the bundle are named exec-ID.*
  std::string bundle;    // becomes the working directory
  std::string log_path;  // empty: output is not kept
  bool terminal = false;
  bool open_stdin = false;
  bool first_client = false;         // kFirstClientFd is one
  std::vector<std::string> runtime;  // the program and its own options, in front of the subcommand

  // Relative to the bundle.
  std::string console_path() const { return exec ? "exec-" + exec_id + ".sock" : "console.sock"; }
  std::string pid_path() const { return exec ? "exec-" + exec_id + ".pid" : "init.pid"; }
  std::string process_path() const { return "exec-" + exec_id + ".json"; }
  std::string exit_path() const { return "exit/" + id; }
};

// Nothing where the arguments make no sense; `why` says so then.
std::optional<Options> parse_options(int argc, char** argv, std::string& why);

}  // namespace quoll::monitor
