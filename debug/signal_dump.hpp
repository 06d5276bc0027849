// SIGUSR1: the debug=2 text into the log and into a file.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include "task/fd.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::debug {

inline constexpr std::string_view kDumpBegin = "=== BEGIN goroutine stack dump ===\n";
inline constexpr std::string_view kDumpEnd = "=== END goroutine stack dump ===\n";

struct SignalDumpOptions {
  std::filesystem::path directory;  // where files go: the exec-root
  // Gets kDumpBegin, the dump in pieces of whole tasks, and kDumpEnd. Called on the dumping task's worker.
  std::function<void(std::string_view)> log_text;
  // One line for what went wrong with the file, and the file's name where it went well.
  std::function<void(std::string_view)> log_line;
};

// Keeps SIGUSR1 from its default, which ends the process, and makes it readable from the descriptor instead.
// REQUIRES: called before any thread is made, so that all inherit the mask.
UniqueFd block_dump_signal();

// One dump into the log and into <directory>/goroutine-stacks-<time>.log (mode 0600; under that name once it is
// complete).
// Errors: what goes wrong with the file goes into log_line, and the log has the dump all the same.
task::Task<void> dump_to_log_and_file(task::Runtime& runtime, const SignalDumpOptions& options);

// Dumps at each SIGUSR1 until it is cancelled; signals that come during a dump are one.
task::Task<void> dump_on_signal(task::Runtime& runtime, UniqueFd signal, SignalDumpOptions options);

}  // namespace quoll::debug
