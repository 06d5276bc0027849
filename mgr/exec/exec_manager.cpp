#include "mgr/exec/exec_manager.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "mgr/container/container_id.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/container/spec_host_facts.hpp"
#include "mgr/exec/exec_process.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/log_failure.hpp"
#include "mgr/runtime/monitor.hpp"
#include "mgr/runtime/runtime_words.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"
#include "task/fd.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kSpecBytesMax = 16 * 1024 * 1024;
constexpr int kLostExitCode = 255;
constexpr int kNotCalledExitCode = 126;  // as Docker has it: of a user that the container does not know, say

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

SocketPair make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw system_error(errno, "socketpair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string process_file(const Exec& exec) { return exec.container()->paths().bundle + "/exec-" + exec.id() + ".json"; }
std::string pid_file(const Exec& exec) { return exec.container()->paths().bundle + "/exec-" + exec.id() + ".pid"; }

void write_process(const Exec& exec) {
  const std::string bundle = exec.container()->paths().bundle;
  const auto spec = nlohmann::json::parse(read_file(bundle + "/config.json", kSpecBytesMax));
  const std::string root = "/proc/" + std::to_string(exec.container()->state().pid) + "/root";
  const std::uint64_t capabilities = exec.config().privileged ? read_host_facts().bounding_capabilities : 0;
  const nlohmann::json process = exec_process(exec.config(), spec.at("process"), root, capabilities);
  const UniqueFd file = open_file(process_file(exec), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  write_all(file.get(), process.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), process_file(exec));
}

void remove_call_files(const Exec& exec) {
  ::unlink(process_file(exec).c_str());
  ::unlink(pid_file(exec).c_str());
}

std::string command_line(const ExecConfig& config) {
  std::string line;
  for (const std::string& word : config.command) line += (line.empty() ? "" : " ") + word;
  return line;
}

void require_running(const Container& container) {
  const ContainerStatus status = container.state().status;
  if (status == ContainerStatus::kPaused) {
    throw Error(ErrorClass::kConflict, "container " + container.id() + " is paused, unpause the container before exec");
  }
  if (status == ContainerStatus::kRestarting) {
    throw Error(ErrorClass::kConflict,
                "container " + container.id() + " is restarting, wait until the container is running");
  }
  if (status != ContainerStatus::kRunning) {
    throw Error(ErrorClass::kConflict, "container " + container.id() + " is not running");
  }
}

}  // namespace

ExecManager::ExecManager(task::Worker& worker, ContainerManager& containers)
    : worker_(worker), containers_(containers), scope_("mgr.ExecManager", task::Scope::Kind::kRoot, log_failure) {
  containers_.set_on_removed([this](const std::string& id) { forget_all_of(id); });
}

ExecManager::~ExecManager() { containers_.set_on_removed({}); }

std::shared_ptr<Exec> ExecManager::create(std::shared_ptr<Container> container, ExecConfig config) {
  require_running(*container);
  auto exec = std::make_shared<Exec>(new_container_id(), std::move(container), std::move(config));
  {
    const std::lock_guard lock(mutex_);
    forget_old();
    execs_.emplace(exec->id(), exec);
  }
  publish(*exec, "exec_create", command_line(exec->config()));
  return exec;
}

std::shared_ptr<Exec> ExecManager::find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = execs_.lower_bound(id);
  const auto next = found == execs_.end() ? found : std::next(found);
  const bool fits = !id.empty() && found != execs_.end() && found->first.starts_with(id);
  if (!fits || (next != execs_.end() && next->first.starts_with(id))) {
    throw Error(ErrorClass::kNotFound, "No such exec instance: " + std::string(id));
  }
  return found->second;
}

void ExecManager::claim(Exec& exec) {
  const ExecState state = exec.state();
  if (state.running) {
    throw Error(ErrorClass::kConflict, "Error: Exec command " + exec.id() + " is already running");
  }
  if (state.started) {
    throw Error(ErrorClass::kConflict, "Error: Exec command " + exec.id() + " has already run");
  }
  require_running(*exec.container());
  bool first = false;
  exec.update_state([&first](ExecState& changing) { first = !std::exchange(changing.started, true); });
  if (!first) throw Error(ErrorClass::kConflict, "Error: Exec command " + exec.id() + " is already running");
}

task::Task<UniqueFd> ExecManager::start(std::shared_ptr<Exec> exec, std::uint8_t attach_flags) {
  SocketPair client;
  if (attach_flags != 0) {
    client = make_socket_pair();
    greet_monitor(client.ours.get(), attach_flags);
  }
  auto [sender, receiver] = task::make_channel<Started>(1);
  scope_.spawn_on(worker_, "mgr.Exec: run", run(exec, std::move(client.theirs), std::move(sender)));
  const std::optional<Started> started = co_await receiver.receive();
  if (!started) throw Error(ErrorClass::kUnavailable, "the daemon stops");
  if (!started->error.empty()) {
    throw Error(ErrorClass::kInvalidArgument, started->error);
  }
  co_return std::move(client.ours);
}

// From the call of the monitor to its end.
task::Task<void> ExecManager::run(std::shared_ptr<Exec> exec, UniqueFd client, task::Sender<Started> started) {
  std::string error;
  bool called = false;
  try {
    co_await task::blocking([&exec] { write_process(*exec); });
    called = true;
    co_await run_monitor(exec, std::move(client), started);
    co_return;
  } catch (const Error& failure) {
    error = failure.message();
  }
  co_await task::blocking([&exec] { remove_call_files(*exec); });
  note_end(*exec, called ? start_failure_code(error) : kNotCalledExitCode);
  Started word{error};
  started.try_send(word);
}

task::Task<void> ExecManager::run_monitor(std::shared_ptr<Exec> exec, UniqueFd client, task::Sender<Started>& started) {
  SocketPair status = make_socket_pair();
  MonitoredExec call;
  call.id = exec->id();
  call.container_id = exec->container()->id();
  call.bundle = exec->container()->paths().bundle;
  call.streams = {.terminal = exec->config().tty, .open_stdin = exec->config().attach_stdin};
  call.status = status.theirs.get();
  call.client = client.get();
  co_await start_exec_monitor(containers_.programs(), call);
  status.theirs.reset();
  client.reset();

  task::AsyncFd monitor(std::move(status.ours));
  std::string text;
  bool running = false;
  char buffer[4096];
  while (const std::size_t count = co_await monitor.read_some(buffer)) {
    text.append(buffer, count);
    if (running || !text.starts_with("pid ") || text.find('\n') == std::string::npos) continue;
    running = true;
    const int pid = parse_monitor_word(text).pid;
    text.erase(0, text.find('\n') + 1);
    exec->update_state([pid](ExecState& state) {
      state.running = true;
      state.pid = pid;
    });
    {
      const std::lock_guard lock(mutex_);
      monitors_[exec->id()] = monitor.get();
    }
    publish(*exec, "exec_start", command_line(exec->config()));
    Started word;
    started.try_send(word);
    co_await task::blocking([&exec] { remove_call_files(*exec); });
  }
  const MonitorWord last = parse_monitor_word(text);
  if (!running) {
    throw Error(ErrorClass::kInvalidArgument, "OCI runtime exec failed: exec failed: " + last.error);
  }
  note_end(*exec, last.exit_code >= 0 ? last.exit_code : kLostExitCode);
}

void ExecManager::note_end(Exec& exec, int exit_code) {
  bool ran = false;
  {
    const std::lock_guard lock(mutex_);
    monitors_.erase(exec.id());
  }
  exec.update_state([&](ExecState& state) {
    ran = std::exchange(state.running, false);
    state.exit_code = exit_code;
    state.ended_ns = wall_now_ns();
  });
  exec.ended().set();
  if (!ran) return;
  containers_.publish(*exec.container(), "exec_die", {{"execID", exec.id()}, {"exitCode", std::to_string(exit_code)}});
}

void ExecManager::resize(Exec& exec, unsigned rows, unsigned columns) {
  const std::lock_guard lock(mutex_);
  const auto found = monitors_.find(exec.id());
  if (found == monitors_.end()) throw Error(ErrorClass::kConflict, "exec process is not started");
  const std::string request = resize_request(rows, columns);
  ::send(found->second, request.data(), request.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void ExecManager::publish(const Exec& exec, std::string_view action, std::string detail) const {
  const std::string text = std::string(action) + (detail.empty() ? "" : ": " + detail);
  containers_.publish(*exec.container(), text, {{"execID", exec.id()}});
}

std::vector<std::string> ExecManager::ids_of(const std::string& container_id) const {
  std::vector<std::string> ids;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, exec] : execs_) {
    if (exec->container()->id() == container_id && !exec->state().exit_code) ids.push_back(id);
  }
  return ids;
}

// Records keep their container, and with it its log's descriptor.
void ExecManager::forget_all_of(const std::string& container_id) {
  std::vector<std::shared_ptr<Exec>> forgotten;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  std::erase_if(execs_, [&](const auto& entry) {
    if (entry.second->container()->id() != container_id) return false;
    forgotten.push_back(entry.second);
    return true;
  });
}

// REQUIRES: mutex_ held.
void ExecManager::forget_old() {
  const auto now_ns = wall_now_ns();
  const auto kept_ns = std::chrono::nanoseconds(kKeptAfterEnd).count();
  std::size_t ended = 0;
  std::erase_if(execs_, [&](const auto& entry) {
    const ExecState state = entry.second->state();
    const bool container_ended = !is_running(entry.second->container()->state().status);
    if (!state.exit_code) return container_ended && !state.started;
    return now_ns - state.ended_ns > kept_ns || ++ended > kEndedMax;
  });
}

task::Task<void> ExecManager::stop() {
  scope_.cancel(task::CancelReason::kShutdown);
  co_await scope_.join();
}

}  // namespace quoll::mgr
