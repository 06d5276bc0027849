// All commands of quoll: one overload of execute() for each.
//
// Cancel: leaves what it asked for to the daemon, which ends what may be ended.
// Errors: thrown with the text for the user; OutputClosed where nobody reads any more.
#pragma once

#include <string>

#include "cli/arguments.hpp"
#include "cli/signals.hpp"
#include "cli/standard_stream.hpp"
#include "task/task.hpp"

namespace quoll::cli {

struct Context {
  std::string host;
  std::string debug_host;
  Output& out;
  Output& error;
  SignalSource& signals;
};

// Each returns quoll's exit code.
// stack_commands.cpp
task::Task<int> execute(Context& context, const StackOptions& options);
task::Task<int> execute(Context& context, const TasksOptions& options);
task::Task<int> execute(Context& context, const TreeOptions& options);
task::Task<int> execute(Context& context, const TopOptions& options);
// health_commands.cpp
task::Task<int> execute(Context& context, const LeaksOptions& options);
task::Task<int> execute(Context& context, const StatsOptions& options);
// Where to ask: --debug-host, or the process's own listener.
task::Task<std::string> debug_host_of(Context& context, int pid);

// run_command.cpp: takes the signals itself.
task::Task<int> execute(Context& context, const RunOptions& options);

// attach_commands.cpp
task::Task<int> execute(Context& context, const ExecOptions& options);
task::Task<int> execute(Context& context, const AttachOptions& options);

// container_commands.cpp
task::Task<int> execute(Context& context, const PsOptions& options);
task::Task<int> execute(Context& context, const LogsOptions& options);
task::Task<int> execute(Context& context, const StopOptions& options);
task::Task<int> execute(Context& context, const KillOptions& options);
task::Task<int> execute(Context& context, const RemoveOptions& options);
task::Task<int> execute(Context& context, const WaitOptions& options);

// image_commands.cpp
task::Task<int> execute(Context& context, const ImagesOptions& options);
task::Task<int> execute(Context& context, const LoadOptions& options);
task::Task<int> execute(Context& context, const RemoveImageOptions& options);

// registry_commands.cpp
task::Task<int> execute(Context& context, const PullOptions& options);
task::Task<int> execute(Context& context, const PushOptions& options);
task::Task<int> execute(Context& context, const LoginOptions& options);
task::Task<int> execute(Context& context, const LogoutOptions& options);

// system_commands.cpp
task::Task<int> execute(Context& context, const VersionOptions& options);
task::Task<int> execute(Context& context, const InfoOptions& options);

}  // namespace quoll::cli
