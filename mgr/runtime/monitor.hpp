// The outside programs of a container's life: quoll-monitor (monitor/), which stays with it, and the OCI runtime, which
// makes and starts it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "task/task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

// Where the programs are; constant for the daemon's life.
struct RuntimePrograms {
  std::string monitor;          // quoll-monitor
  std::string shim;             // quoll-runtime, which mounts the root filesystem (runtime/shim_main.cpp)
  std::string runtime;          // crun or runc, absolute
  std::string state_directory;  // the runtime's --root, on a file system that a reboot clears
  bool is_crun = false;         // whatever name it was given by
};

// Picks the runtime: `wanted` (a name or a path) where it is given, else crun, else runc.
//
// Errors: kFailedPrecondition naming the program that is missing.
RuntimePrograms find_runtime_programs(const std::string& wanted, std::string state_directory);

struct MonitoredStreams {
  bool terminal = false;
  bool open_stdin = false;
};

// One container as the monitor sees it.
struct MonitoredContainer {
  std::string id;
  std::string bundle;    // holds config.json and overlay; the monitor adds its control files and exit/ID
  std::string log_path;  // empty: output is not kept
  MonitoredStreams streams;
};

struct MonitorProcesses {
  int monitor_pid = 0;
  std::uint64_t monitor_start_time = 0;  // tells it from a later process with the same pid
  int init_pid = 0;
};

// Starts the monitor, which has the runtime create the container; its init process then waits for runtime_start().
//
// Cancel: the monitor and what it made are gone when Cancelled is thrown.
// Errors: kInvalidArgument with the runtime's own words where the container cannot be; nothing of it is left.
task::Task<MonitorProcesses> create_with_monitor(const RuntimePrograms& programs, const MonitoredContainer& container);

// One exec as its monitor sees it; exec-ID.json in the bundle is its process.
struct MonitoredExec {
  std::string id;
  std::string container_id;
  std::string bundle;
  MonitoredStreams streams;
  int status = -1;  // a socket that is borrowed for the call: what it says (MonitorWord), and requests to it
  int client = -1;  // a greeted socket, borrowed too; -1: nobody is attached
};

// Starts an exec's monitor, and returns when that is on its own; what came of it is read from the other end of
// `status`.
task::Task<void> start_exec_monitor(const RuntimePrograms& programs, const MonitoredExec& exec);

// A line that a monitor says (monitor/monitor_main.cpp).
struct MonitorWord {
  int pid = 0;
  int exit_code = -1;
  std::string error;
};
MonitorWord parse_monitor_word(std::string_view line);

// Docker's exit codes for what could not be run, told by the same words as its clients do.
int start_failure_code(const std::string& message);

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

// Sends a request of monitor_main.cpp to a container's monitor. Never blocks; a monitor that is gone is ignored.
void request_of_monitor(const std::string& bundle, std::string_view request);
inline constexpr std::string_view kReopenLogRequest = "reopen\n";
std::string resize_request(unsigned rows, unsigned columns);

// A socket to a container's standard streams, with `attach_flags` of monitor/attach_protocol.hpp. What is written from
// now on comes through it.
//
// Thread: any; does not block. Errors: of system_error().
UniqueFd connect_to_monitor(const std::string& bundle, std::uint8_t attach_flags);
void greet_monitor(int socket, std::uint8_t attach_flags);
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

// The exit code that the monitor left; nothing where there is none yet.
struct ExitStatus {
  int code = 0;
  std::int64_t finished_at_ns = 0;
};
std::optional<ExitStatus> read_exit_status(const std::string& bundle, const std::string& id);

// Field 22 of /proc/PID/stat; 0 where there is no such process.
std::uint64_t process_start_time(int pid);

// A descriptor of the process, if it still is the one that started then. Errors: none; an empty descriptor.
UniqueFd open_process(int pid, std::uint64_t start_time);

}  // namespace quoll::mgr
