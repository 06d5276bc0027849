// The command line of quoll as plain values.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace quoll::cli {

// Whose tasks are shown, and which; checked by the daemon. Empty: no such bound.
struct TaskSelection {
  int pid = 0;  // of the process to ask, found by its sockets; 0: the one at --debug-host
  std::string match;
  std::string state;
  std::string min_wait;
};

struct StackOptions {
  TaskSelection tasks;
};
struct TasksOptions {
  TaskSelection tasks;
};

struct TreeOptions {
  TaskSelection tasks;
};
struct TopOptions {
  TaskSelection tasks;
  double delay = 2;    // seconds
  int iterations = 0;  // 0: for ever on a terminal, else once
};

struct LeaksOptions {
  int pid = 0;
  std::string grace;  // how long a task may outlive its client; empty: the daemon's own
};
struct StatsOptions {
  int pid = 0;
};

struct RunOptions {
  bool detach = false;
  bool remove = false;
  bool tty = false;
  bool interactive = false;  // standard input is the container's
  std::string name;
  std::string working_directory;
  std::string user;
  std::string network;
  std::vector<std::string> env;    // "K=V", or "K" for this process's own value
  std::vector<std::string> binds;  // "SOURCE:TARGET[:ro]"
  std::string image;               // required
  std::vector<std::string> command;
};

struct ExecOptions {
  bool detach = false;
  bool tty = false;
  bool interactive = false;
  bool privileged = false;
  std::string working_directory;
  std::string user;
  std::vector<std::string> env;  // as RunOptions'
  std::string container;         // required
  std::vector<std::string> command;
};

struct AttachOptions {
  bool no_stdin = false;
  std::string container;
};

struct PsOptions {
  bool all = false;
  bool quiet = false;
  bool full = false;
};

struct LogsOptions {
  bool follow = false;
  bool timestamps = false;
  std::string tail = "all";
  std::string since;
  std::string until;
  std::string container;
};

struct StopOptions {
  std::optional<int> timeout_s;
  std::vector<std::string> containers;
};
struct KillOptions {
  std::string signal;
  std::vector<std::string> containers;
};
struct RemoveOptions {
  bool force = false;
  std::vector<std::string> containers;
};
struct WaitOptions {
  std::vector<std::string> containers;
};

struct ImagesOptions {
  bool quiet = false;
  bool full = false;
};
struct LoadOptions {
  std::string file;  // empty: standard input
};
struct PullOptions {
  std::string platform;  // empty: the host's
  std::string image;
};
struct PushOptions {
  std::string image;
};
struct LoginOptions {
  std::string user;
  bool password_from_input = false;
  std::string server;  // empty: Docker Hub
};
struct LogoutOptions {
  std::string server;  // the same
};
struct RemoveImageOptions {
  bool force = false;
  std::vector<std::string> images;
};

struct VersionOptions {};
struct InfoOptions {};

using Command = std::variant<std::monostate, StackOptions, TasksOptions, TreeOptions, TopOptions, LeaksOptions,
                             StatsOptions, RunOptions, ExecOptions, AttachOptions, PsOptions, LogsOptions, StopOptions,
                             KillOptions, RemoveOptions, WaitOptions, ImagesOptions, LoadOptions, PullOptions,
                             PushOptions, LoginOptions, LogoutOptions, RemoveImageOptions, VersionOptions, InfoOptions>;

struct Arguments {
  std::string host;
  std::string debug_host;
  Command command;
};

// What the environment says where the command line does not; empty as absent.
struct Environment {
  std::string host;        // QUOLL_HOST
  std::string debug_host;  // QUOLL_DEBUG_HOST
};

// Nothing where help or the version was asked for, and printed.
//
// Errors: CommandFailure with the exit code for a wrong command line: 125 for `run`, 1 for all others.
std::optional<Arguments> parse_arguments(int argc, const char* const* argv, const Environment& environment);

}  // namespace quoll::cli
