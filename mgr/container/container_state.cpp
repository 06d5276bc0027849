#include "mgr/container/container_state.hpp"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using Status = ContainerStatus;

constexpr auto kStatuses = std::to_array<std::pair<Status, std::string_view>>({
    {Status::kCreated, "created"},
    {Status::kRunning, "running"},
    {Status::kPaused, "paused"},
    {Status::kRestarting, "restarting"},
    {Status::kRemoving, "removing"},
    {Status::kExited, "exited"},
    {Status::kDead, "dead"},
});

// A running container is stopped before it is removed, so nothing with a process leads to kRemoving; a removal that
// failed half way is dead, and may only be removed again.
constexpr auto kChanges = std::to_array<std::pair<Status, Status>>({
    {Status::kCreated, Status::kRunning},
    {Status::kCreated, Status::kRemoving},
    {Status::kRunning, Status::kPaused},
    {Status::kRunning, Status::kExited},
    {Status::kRunning, Status::kRestarting},
    {Status::kPaused, Status::kRunning},
    {Status::kPaused, Status::kExited},
    {Status::kRestarting, Status::kRunning},
    {Status::kRestarting, Status::kExited},
    {Status::kExited, Status::kRunning},
    {Status::kExited, Status::kRestarting},
    {Status::kExited, Status::kRemoving},
    {Status::kRemoving, Status::kDead},
    {Status::kDead, Status::kRemoving},
});

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;

std::string count(int64_t n, std::string_view unit) { return std::to_string(n).append(" ").append(unit); }

}  // namespace

std::string_view to_string(ContainerStatus status) { return kStatuses[static_cast<size_t>(status)].second; }

ContainerStatus parse_container_status(std::string_view text) {
  for (const auto& [status, name] : kStatuses) {
    if (name == text) return status;
  }
  throw Error(ErrorClass::kInvalidArgument, "unknown container status \"" + std::string(text) + "\"");
}

bool can_change(ContainerStatus from, ContainerStatus to) {
  return std::find(kChanges.begin(), kChanges.end(), std::pair(from, to)) != kChanges.end();
}

bool can_start(ContainerStatus status) { return status == Status::kCreated || status == Status::kExited; }
bool can_stop(ContainerStatus status) { return is_running(status); }
bool can_kill(ContainerStatus status) { return status == Status::kRunning || status == Status::kPaused; }
bool can_pause(ContainerStatus status) { return status == Status::kRunning; }
bool can_unpause(ContainerStatus status) { return status == Status::kPaused; }

bool can_remove(ContainerStatus status, bool force) {
  if (status == Status::kRemoving) return false;
  return force || !is_running(status);
}

bool is_running(ContainerStatus status) {
  return status == Status::kRunning || status == Status::kPaused || status == Status::kRestarting;
}

void ContainerState::change_to(ContainerStatus to) {
  if (!can_change(status, to)) {
    throw Error(ErrorClass::kConflict, "a container that is " + std::string(to_string(status)) + " cannot become " +
                                           std::string(to_string(to)));
  }
  status = to;
}

void ContainerState::mark_running(int init_pid, int64_t now_ns) {
  change_to(Status::kRunning);
  pid = init_pid;
  exit_code = 0;
  error.clear();
  oom_killed = false;
  started_at_ns = now_ns;
}

void ContainerState::mark_exited(int code, bool killed_for_memory, int64_t now_ns) {
  change_to(Status::kExited);
  pid = 0;
  monitor_pid = 0;
  monitor_start_time = 0;
  exit_code = code;
  oom_killed = killed_for_memory;
  finished_at_ns = std::max(now_ns, started_at_ns);  // a file's time is that of the last clock tick
}

void ContainerState::mark_restarting(int64_t delay_ms) {
  change_to(Status::kRestarting);
  restart_delay_ms = delay_ms;
  ++restart_count;
}

void ContainerState::mark_start_failed(int code, std::string why) {
  if (status == Status::kRestarting) change_to(Status::kExited);
  pid = 0;
  monitor_pid = 0;
  monitor_start_time = 0;
  exit_code = code;
  error = std::move(why);
}

nlohmann::json state_inspect_json(const ContainerState& state) {
  return {
      {"Status", to_string(state.status)},
      {"Running", is_running(state.status)},
      {"Paused", state.status == Status::kPaused},
      {"Restarting", state.status == Status::kRestarting},
      {"OOMKilled", state.oom_killed},
      {"Dead", state.status == Status::kDead},
      {"Pid", state.pid},
      {"ExitCode", state.exit_code},
      {"Error", state.error},
      {"StartedAt", rfc3339_nano(state.started_at_ns)},
      {"FinishedAt", rfc3339_nano(state.finished_at_ns)},
  };
}

std::string human_duration(int64_t duration_ns) {
  const int64_t seconds = duration_ns / kSecond;
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return count(seconds, "seconds");
  const int64_t minutes = duration_ns / kMinute;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return count(minutes, "minutes");
  // Hours alone are rounded to the nearest; days and up are cut from the rounded hours, years from the whole ones.
  const int64_t hours = (duration_ns + kHour / 2) / kHour;
  if (hours == 1) return "About an hour";
  if (hours < 48) return count(hours, "hours");
  if (hours < 24 * 7 * 2) return count(hours / 24, "days");
  if (hours < 24 * 30 * 2) return count(hours / 24 / 7, "weeks");
  if (hours < 24 * 365 * 2) return count(hours / 24 / 30, "months");
  return count(duration_ns / kHour / 24 / 365, "years");
}

std::string human_status(const ContainerState& state, int64_t now_ns) {
  const std::string code = std::to_string(state.exit_code);
  switch (state.status) {
    case Status::kRunning:
      return "Up " + human_duration(now_ns - state.started_at_ns);
    case Status::kPaused:
      return "Up " + human_duration(now_ns - state.started_at_ns) + " (Paused)";
    case Status::kRestarting:
      return "Restarting (" + code + ") " + human_duration(now_ns - state.finished_at_ns) + " ago";
    case Status::kRemoving:
      return "Removal In Progress";
    case Status::kDead:
      return "Dead";
    case Status::kCreated:
      return "Created";
    case Status::kExited:
      break;
  }
  return "Exited (" + code + ") " + human_duration(now_ns - state.finished_at_ns) + " ago";
}

std::string rfc3339_nano(int64_t time_ns) {
  if (time_ns == 0) return "0001-01-01T00:00:00Z";
  int64_t seconds = time_ns / kSecond;
  int64_t fraction = time_ns % kSecond;
  if (fraction < 0) {
    fraction += kSecond;
    --seconds;
  }
  const std::time_t whole = seconds;
  std::tm utc{};
  ::gmtime_r(&whole, &utc);
  std::array<char, 64> text;
  size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::string result(text.data(), size);
  if (fraction > 0) {
    std::string digits = std::to_string(fraction);
    digits.insert(0, 9 - digits.size(), '0');
    digits.erase(digits.find_last_not_of('0') + 1);
    result.append(".").append(digits);
  }
  return result.append("Z");
}

nlohmann::json state_to_json(const ContainerState& state) {
  return {
      {"status", to_string(state.status)},
      {"pid", state.pid},
      {"monitor_pid", state.monitor_pid},
      {"monitor_start_time", state.monitor_start_time},
      {"exit_code", state.exit_code},
      {"error", state.error},
      {"oom_killed", state.oom_killed},
      {"started_at_ns", state.started_at_ns},
      {"finished_at_ns", state.finished_at_ns},
      {"restart_count", state.restart_count},
      {"restart_delay_ms", state.restart_delay_ms},
      {"stopped_by_user", state.stopped_by_user},
      {"network", to_json(*state.network)},
  };
}

ContainerState state_from_json(const nlohmann::json& json) try {
  ContainerState state;
  state.status = parse_container_status(json.at("status").get<std::string>());
  state.pid = json.at("pid").get<int>();
  state.monitor_pid = json.at("monitor_pid").get<int>();
  state.monitor_start_time = json.at("monitor_start_time").get<uint64_t>();
  state.exit_code = json.at("exit_code").get<int>();
  state.error = json.at("error").get<std::string>();
  state.oom_killed = json.at("oom_killed").get<bool>();
  state.started_at_ns = json.at("started_at_ns").get<int64_t>();
  state.finished_at_ns = json.at("finished_at_ns").get<int64_t>();
  // Records of earlier versions have none of these.
  state.restart_count = json.value("restart_count", 0);
  state.restart_delay_ms = json.value("restart_delay_ms", int64_t{0});
  state.stopped_by_user = json.value("stopped_by_user", false);
  // Not in the records of daemons that had no networks.
  if (json.contains("network")) state.network = SharedNetwork(container_network_from_json(json["network"]));
  return state;
} catch (const nlohmann::json::exception& error) {
  throw Error(ErrorClass::kInvalidArgument, std::string("stored container state: ") + error.what());
}

}  // namespace quoll::mgr
