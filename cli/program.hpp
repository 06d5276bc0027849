// One run of quoll, from parsed arguments to its exit code.
#pragma once

#include "cli/arguments.hpp"
#include "cli/commands.hpp"
#include "task/task.hpp"

namespace quoll::cli {

// What a shell shows for a program that SIGPIPE has ended.
inline constexpr int kExitOutputClosed = 141;
// ... and for one that a signal has ended.
inline constexpr int exit_code_of_signal(int signal) { return 128 + signal; }

// Turns what `work` throws into a line on standard error and an exit code. Cancelled goes on.
task::Task<int> report_failure(Context& context, task::Task<int> work);

// Runs the command; a signal cancels it.
task::Task<int> run_program(Context& context, const Command& command);

}  // namespace quoll::cli
