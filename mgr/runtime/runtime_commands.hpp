// The OCI runtime's commands on a container that the monitor has had it create.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "mgr/runtime/runtime_programs.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// Lets the init process run its program.
task::Task<void> runtime_start(const RuntimePrograms& programs, const std::string& id);

// Kills what is left and removes the runtime's state and the cgroups. Of no effect on an unknown id.
task::Task<void> runtime_delete(const RuntimePrograms& programs, const std::string& id);

// The runtime's word for the container ("created", "running", "stopped"); nothing where it has none.
task::Task<std::optional<std::string>> runtime_status(const RuntimePrograms& programs, const std::string& id);

// Freezes and thaws all processes of the container. Errors: kInternal with the runtime's own words.
task::Task<void> runtime_pause(const RuntimePrograms& programs, const std::string& id);
task::Task<void> runtime_resume(const RuntimePrograms& programs, const std::string& id);

// Changes the limits of a running container; `resources` is the spec's object of that name.
//
// Errors: kInternal with the runtime's own words.
task::Task<void> runtime_update(const RuntimePrograms& programs, const std::string& id, std::string resources);

// A process more in a running container, by a spec's `process` object, with its output read to its end. FILES.json and
// FILES.pid are written for it.
//
// Cancel: the process is killed.
// Errors: kDeadlineExceeded after `time_limit`, with the process killed.
struct ExecOutput {
  int exit_code = 0;
  std::string text;  // both streams
};
task::Task<ExecOutput> runtime_exec(const RuntimePrograms& programs, const std::string& id, const std::string& files,
                                    const std::string& process, std::chrono::nanoseconds time_limit,
                                    std::size_t output_bytes_max);

}  // namespace quoll::mgr
