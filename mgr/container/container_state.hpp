// What a container is doing: one status with a table of the changes that are allowed, and what Docker shows of it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "mgr/network/endpoint.hpp"

namespace quoll::mgr {

enum class ContainerStatus { kCreated, kRunning, kPaused, kRestarting, kRemoving, kExited, kDead };

// Docker's word: "created", "running", ...
std::string_view to_string(ContainerStatus status);

// Errors: kInvalidArgument for another word.
ContainerStatus parse_container_status(std::string_view text);

// Whether the table of changes has an arrow from `from` to `to`. No status leads to itself.
bool can_change(ContainerStatus from, ContainerStatus to);

bool can_start(ContainerStatus status);
bool can_stop(ContainerStatus status);
bool can_kill(ContainerStatus status);
bool can_pause(ContainerStatus status);
bool can_unpause(ContainerStatus status);

// Without `force` only what has no process; with it all but what is being removed already.
bool can_remove(ContainerStatus status, bool force);

// Whether a process of the container exists: what Docker calls Running, which includes paused and restarting.
bool is_running(ContainerStatus status);

// Everything of a container that changes while it exists, but its name. Times are nanoseconds since 1970; 0 is "never".
struct ContainerState {
  ContainerStatus status = ContainerStatus::kCreated;
  int pid = 0;                      // of the init process on the host; 0 when there is none
  int monitor_pid = 0;              // of the process that holds its streams; 0 when there is none
  uint64_t monitor_start_time = 0;  // field 22 of /proc/PID/stat: tells the monitor from a later process with its pid
  int exit_code = 0;                // of the last run; 128 + n for signal n
  std::string error;                // why the last start failed; empty otherwise
  bool oom_killed = false;
  int64_t started_at_ns = 0;
  int64_t finished_at_ns = 0;
  int restart_count = 0;         // by the restart policy, since the last start that a client asked for
  int64_t restart_delay_ms = 0;  // before the last of them; 0 is none yet
  bool stopped_by_user = false;  // since the last start: the restart policy does not start it again
  SharedNetwork network;         // its memberships, and while it runs what it has of them

  // Changes the status.
  //
  // Errors: kConflict if the table has no such arrow, with nothing changed.
  void change_to(ContainerStatus to);

  // The three changes that move several fields together.
  void mark_running(int init_pid, int64_t now_ns);
  void mark_exited(int code, bool killed_for_memory, int64_t now_ns);
  // Behind mark_exited(): the restart policy starts it again after the delay.
  void mark_restarting(int64_t delay_ms);
  // A start that did not get as far as a process: the status stays, or falls back to kExited from kRestarting; `why`
  // and the code are kept.
  void mark_start_failed(int code, std::string why);

  bool operator==(const ContainerState&) const = default;
};

// The `State` object of GET /containers/{id}/json.
nlohmann::json state_inspect_json(const ContainerState& state);

// The `Status` text of GET /containers/json: "Up 5 seconds", "Exited (0) 3 minutes ago", "Created".
std::string human_status(const ContainerState& state, int64_t now_ns);

// "5 seconds", "About a minute", "3 weeks": a length of time as Docker rounds it.
std::string human_duration(int64_t duration_ns);

// RFC 3339 in UTC with as many fractional digits as are needed; 0 is Docker's zero time, "0001-01-01T00:00:00Z".
std::string rfc3339_nano(int64_t time_ns);

// For the store; both ways.
//
// Errors: kInvalidArgument naming what is wrong in a stored text.
nlohmann::json state_to_json(const ContainerState& state);
ContainerState state_from_json(const nlohmann::json& json);

}  // namespace quoll::mgr
