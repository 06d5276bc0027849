// A container's runs: start, the exit, stop, restart, kill. What the restart policy adds is in container_restart.cpp.
#include <poll.h>

#include <chrono>
#include <csignal>

#include "mgr/container/container_bundle.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/container/container_signal.hpp"
#include "mgr/container/health_monitor.hpp"
#include "mgr/container/restart_policy.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/remove_tree.hpp"
#include "mgr/runtime/cgroup.hpp"
#include "mgr/runtime/host_process.hpp"
#include "mgr/runtime/monitor.hpp"
#include "mgr/runtime/runtime_commands.hpp"
#include "mgr/runtime/runtime_words.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr int kStopTimeoutDefault_s = 10;
constexpr auto kKillWaitMax = std::chrono::seconds(30);

// Nothing: for ever.
std::optional<std::chrono::seconds> grace_of(int timeout_s) {
  if (timeout_s < 0) return std::nullopt;
  return std::chrono::seconds(timeout_s);
}

bool has_ended(int process) {
  pollfd entry{process, POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

}  // namespace

task::Task<void> ContainerManager::start(std::shared_ptr<Container> container) {
  auto guard = co_await container->lock_lifecycle();
  co_await start_locked(std::move(container));
}

task::Task<void> ContainerManager::start_locked(std::shared_ptr<Container> container) {
  const ContainerStatus status = container->state().status;
  if (status == ContainerStatus::kPaused) {
    throw Error(ErrorClass::kConflict, "cannot start a paused container, try unpause instead");
  }
  if (is_running(status)) throw Error(ErrorClass::kNotModified, "container " + container->id() + " is running");
  if (!can_start(status)) {
    throw Error(ErrorClass::kConflict, "container is marked for removal and cannot be started");
  }
  container->update_state([](ContainerState& state) {
    state.restart_count = 0;
    state.restart_delay_ms = 0;
    state.stopped_by_user = false;
  });
  co_await begin_run(std::move(container));
}

task::Task<void> ContainerManager::begin_run(std::shared_ptr<Container> container) {
  co_await container->cleaned_up().wait();
  container->cleaned_up().reset();
  std::optional<Error> failure;
  try {
    const SeccompFilters* const filters = options_.programs.is_crun ? &seccomp_filters_ : nullptr;
    const BundleNetwork network = co_await lease_network(container);
    const JoinedContainers joined = joined_by(*container);
    std::optional<std::string> profile = co_await task::blocking([this, &container, &network, &joined, filters] {
      return write_bundle(*container, layers_of(*container), network, joined, filters);
    });
    const MonitorProcesses processes = co_await create_with_monitor(options_.programs, monitored(*container));
    UniqueFd monitor = open_process(processes.monitor_pid, processes.monitor_start_time);
    container->set_init_process(open_process(processes.init_pid, 0));
    if (profile) {
      co_await task::blocking(
          [&] { seccomp_filters_.learn(std::move(*profile), options_.programs.state_directory, container->id()); });
    }
    co_await plug_network(container, processes.init_pid);
    if (container->log()) container->log()->set_live();
    container->open_streams();
    const std::int64_t started_ns = wall_now_ns();  // before the start: what is quick has ended when that returns
    co_await runtime_start(options_.programs, container->id());
    container->update_state([&](ContainerState& state) {
      state.mark_running(processes.init_pid, started_ns);
      state.monitor_pid = processes.monitor_pid;
      state.monitor_start_time = processes.monitor_start_time;
    });
    watch(container, std::move(monitor));
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) co_await undo_start(container, *failure);
  changed();
  tell_volumes(*container, true);
  publish(*container, "start");
  // It runs, whatever the disk says: the next daemon finds it by its bundle.
  co_await succeeds(container->id(), save_state(container));
}

task::Task<void> ContainerManager::undo_start(std::shared_ptr<Container> container, Error failure) {
  container->close_streams();
  co_await runtime_delete(options_.programs, container->id());
  release_network(container);
  co_await task::blocking([&] { remove_cgroup(container->paths().cgroup); });
  container->set_init_process(UniqueFd());
  if (container->log()) container->log()->set_ended();
  const ContainerState state = container->update_state([&](ContainerState& state) {
    state.mark_start_failed(start_failure_code(failure.message()), failure.message());
  });
  container->cleaned_up().set();
  changed();
  co_await succeeds(container->id(), save_state(container));
  if (state.status == ContainerStatus::kExited) container->tell_exited(state.exit_code);  // a restart that failed
  if (container->config()->host.auto_remove) {
    scope_.spawn_on(worker_, "mgr.ContainerManager: remove", remove_when_exited(container));
  }
  throw failure;
}

void ContainerManager::watch(std::shared_ptr<Container> container, UniqueFd monitor) {
  if (container->log() && container->log()->rotates()) log_watcher_.add(container->log());
  container->run_ended().reset();
  const auto config = container->config();
  if (config->healthcheck && config->healthcheck->enabled()) {
    container->set_health({});
    scope_.spawn_on(worker_, "mgr.Container: check health", watch_health(container));
  }
  scope_.spawn_on(worker_, "mgr.Container: watch exit", watch_exit(std::move(container), std::move(monitor)));
}

task::Task<void> ContainerManager::watch_health(std::shared_ptr<Container> container) {
  co_await monitor_health(std::move(container), options_.programs,
                          [this](const Container& checked, std::string action, EventAttributes more) {
                            changed();
                            publish(checked, std::move(action), std::move(more));
                          });
}

task::Task<void> ContainerManager::watch_exit(std::shared_ptr<Container> container, UniqueFd monitor) {
  if (monitor) {
    task::AsyncFd process(std::move(monitor));
    do {
      co_await process.readable();
    } while (!has_ended(process.get()));  // the wait may end for nothing
  }
  co_await task::shielded(std::chrono::minutes(1), finish_run(std::move(container)));
}

task::Task<void> ContainerManager::finish_run(std::shared_ptr<Container> container) {
  container->close_streams();
  if (container->log()) {
    container->log()->set_ended();
    if (container->log()->rotates()) log_watcher_.remove(container->log());
  }
  const std::string& bundle = container->paths().bundle;
  const auto exit = co_await task::blocking([&] { return read_exit_status(bundle, container->id()); });
  const bool killed_for_memory =
      co_await task::blocking([&] { return was_killed_for_memory(container->paths().cgroup); });
  container->set_init_process(UniqueFd());
  container->run_ended().set();
  const auto config = container->config();
  const ContainerState state = container->update_state([&](ContainerState& changing) {
    changing.mark_exited(exit ? exit->code : 255, killed_for_memory, exit ? exit->finished_at_ns : wall_now_ns());
    if (!exit) changing.error = "the container's monitor was killed";
    if (!stopping_ && restarts_after_exit(config->host.restart, changing)) {
      changing.mark_restarting(next_restart_delay_ms(changing));
    }
  });
  changed();
  if (killed_for_memory) publish(*container, "oom");
  publish(*container, "die",
          {{"exitCode", std::to_string(state.exit_code)},
           {"execDuration", std::to_string((state.finished_at_ns - state.started_at_ns) / 1'000'000'000)}});
  tell_volumes(*container, false);
  const bool saved = co_await succeeds(container->id(), save_state(container));
  container->tell_exited(state.exit_code);
  release_network(container);
  co_await runtime_delete(options_.programs, container->id());
  if (container->log()) co_await succeeds(container->id(), end_torn_record(container));
  // The bundle has the exit status, for the next daemon if the record has it not.
  if (saved) co_await task::blocking([&] { remove_tree(bundle); });
  if (state.status == ContainerStatus::kRestarting) {
    restart_later(container, std::chrono::milliseconds(state.restart_delay_ms));
  }
  container->cleaned_up().set();
  if (config->host.auto_remove) {
    scope_.spawn_on(worker_, "mgr.ContainerManager: remove", remove_when_exited(container));
  }
}

task::Task<void> ContainerManager::stop(std::shared_ptr<Container> container, StopRequest request) {
  auto guard = co_await container->lock_lifecycle();
  if (!is_running(container->state().status)) {
    throw Error(ErrorClass::kNotModified, "container " + container->id() + " is not running");
  }
  co_await stop_locked(container, std::move(request));
  publish(*container, "stop");
}

task::Task<void> ContainerManager::stop_locked(std::shared_ptr<Container> container, StopRequest request) {
  const std::optional<int> number =
      request.signal.empty() ? stop_signal_number(*container->config()) : parse_signal(request.signal);
  if (!number) throw Error(ErrorClass::kInvalidArgument, "invalid signal: " + request.signal);
  if (!stopping_) co_await mark_stopped_by_user(container);
  if (container->state().status == ContainerStatus::kRestarting) {
    co_await cancel_restart(container);
    co_return;
  }
  const int timeout_s = request.timeout_s.value_or(container->config()->stop_timeout.value_or(kStopTimeoutDefault_s));
  // A stop by SIGKILL has no grace: it waits for the kernel only.
  if (*number != SIGKILL && co_await ends_after_signal(container, *number, grace_of(timeout_s))) co_return;
  if (co_await ends_after_signal(container, SIGKILL, kKillWaitMax)) co_return;
  throw Error(ErrorClass::kDeadlineExceeded, "cannot stop container: " + container->id() +
                                                 ": tried to kill container, but did not receive an exit event");
}

// Sends the signal; false where the container still runs after `grace`.
task::Task<bool> ContainerManager::ends_after_signal(std::shared_ptr<Container> container, int number,
                                                     std::optional<std::chrono::seconds> grace) {
  Container::Waiter exited = container->wait(WaitCondition::kNotRunning);
  try {
    if (is_running(container->state().status)) send_signal(*container, number);
    // A frozen process gets its signal when it is thawed.
    if (container->state().status == ContainerStatus::kPaused) co_await resume(container);
    if (grace) {
      co_await task::with_deadline(*grace, exited.result());
    } else {
      co_await exited.result();
    }
  } catch (const Error& error) {
    if (error.error_class() == ErrorClass::kDeadlineExceeded) co_return false;
    if (error.error_class() != ErrorClass::kConflict) throw;  // kConflict: it has ended by itself meanwhile
  }
  co_return true;
}

task::Task<void> ContainerManager::restart(std::shared_ptr<Container> container, StopRequest request) {
  auto guard = co_await container->lock_lifecycle();
  if (is_running(container->state().status)) {
    co_await stop_locked(container, std::move(request));
    publish(*container, "stop");
  }
  co_await start_locked(container);
  publish(*container, "restart");
}

void ContainerManager::send_signal(Container& container, int number) {
  container.signal(number);
  publish(container, "kill", {{"signal", std::to_string(number)}});
}

// Takes no lock: a container that is being stopped, and takes its time, can be killed.
task::Task<void> ContainerManager::kill(std::shared_ptr<Container> container, std::string signal) {
  const std::optional<int> number = parse_signal(signal.empty() ? "KILL" : signal);
  if (!number) throw Error(ErrorClass::kInvalidArgument, "invalid signal: " + signal);
  const bool ends = *number == SIGKILL || *number == stop_signal_number(*container->config());
  if (ends && is_running(container->state().status)) co_await mark_stopped_by_user(container);
  if (ends && container->state().status == ContainerStatus::kRestarting) {
    co_await cancel_restart(container);
    co_return;
  }
  send_signal(*container, *number);
  if (ends && container->state().status == ContainerStatus::kPaused) co_await resume(container);
}

task::Task<void> ContainerManager::end_torn_record(std::shared_ptr<Container> container) {
  co_await task::blocking([&] { container->log()->files().end_torn_record(); });
}

}  // namespace quoll::mgr
