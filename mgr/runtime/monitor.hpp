// quoll-monitor (monitor/), which has the runtime make a container or an exec and stays with it: how it is started,
// what it says, and how it is talked to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mgr/runtime/runtime_programs.hpp"
#include "task/task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

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

// The exit code that the monitor left; nothing where there is none yet.
struct ExitStatus {
  int code = 0;
  std::int64_t finished_at_ns = 0;
};
std::optional<ExitStatus> read_exit_status(const std::string& bundle, const std::string& id);

}  // namespace quoll::mgr
