#include "mgr/container/container_manager.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <csignal>

#include "mgr/container/container_bundle.hpp"
#include "mgr/container/container_id.hpp"
#include "mgr/container/container_signal.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/remove_tree.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr int kStopTimeoutDefault_s = 10;
constexpr auto kKillWaitMax = std::chrono::seconds(30);

void log_failure(std::uint64_t task_id, std::string_view name, std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    spdlog::error("task {} ({}): {}", task_id, name, error.what());
  }
}

// Docker's exit codes for what could not be run, told by the same words as its clients do.
int start_failure_code(const std::string& message) {
  const auto says = [&message](std::string_view words) { return message.find(words) != std::string::npos; };
  if ((says("executable file") && says("not found")) || says("no such file or directory")) return 127;
  if (says("permission denied") || says("is a directory")) return 126;
  return 128;
}

bool has_ended(int process) {
  pollfd entry{process, POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

// True where `step` did not fail. For steps that must not keep the rest from being done: on a full disk, above all.
task::Task<bool> succeeds(const std::string& id, task::Task<void> step) {
  try {
    co_await std::move(step);
    co_return true;
  } catch (const Error& error) {
    spdlog::error("container {}: {}", id, error.message());
  }
  co_return false;
}

// A container that asks for another runtime than the one there is.
void check_runtime(const ContainerConfig& config, const RuntimePrograms& programs) {
  const std::string& wanted = config.host.runtime;
  const std::string& path = programs.runtime;
  if (wanted.empty() || wanted == path || wanted == path.substr(path.rfind('/') + 1)) return;
  throw Error(ErrorClass::kInvalidArgument, "unknown or invalid runtime name: " + wanted);
}

}  // namespace

ContainerManager::ContainerManager(task::Worker& worker, ContainerManagerOptions options, ImageStore& images,
                                   ContainerStore& store)
    : worker_(worker),
      options_(std::move(options)),
      images_(images),
      store_(store),
      scope_("mgr.ContainerManager", task::Scope::Kind::kRoot, log_failure) {}

ContainerManager::~ContainerManager() = default;

ContainerPaths ContainerManager::paths_of(const std::string& id) const {
  return {.directory = options_.root + "/containers/" + id,
          .bundle = options_.exec_root + "/containers/" + id,
          .cgroup = options_.cgroup_parent + "/" + id};
}

task::Task<CreatedContainer> ContainerManager::create(std::string name, ContainerConfig config) {
  const Image image = co_await task::blocking([this, &config] { return images_.get(config.image); });
  config = resolve_with_image(std::move(config), image.config);
  check_runtime(config, options_.programs);
  const std::string id = new_container_id();
  {
    std::lock_guard lock(mutex_);
    if (name.empty()) {
      name = names_.add_random(id);
    } else {
      name = validate_container_name(name);
      names_.add(id, name);
    }
  }
  const ContainerPaths paths = paths_of(id);
  std::shared_ptr<Container> container;
  std::exception_ptr failure;
  try {
    co_await task::blocking([&] {
      make_container_directories(paths);
      container =
          std::make_shared<Container>(id, name, wall_now_ns(), image.id, std::move(config), ContainerState{}, paths);
      store_.save(record_of(container->snapshot()));
    });
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await task::blocking([&paths] { remove_tree(paths.directory); });
    std::lock_guard lock(mutex_);
    names_.remove(id);
    std::rethrow_exception(failure);
  }
  {
    std::lock_guard lock(mutex_);
    containers_.emplace(id, container);
  }
  changed();
  co_return CreatedContainer{id, creation_warnings(*container)};
}

std::shared_ptr<Container> ContainerManager::find(std::string_view reference) const {
  std::lock_guard lock(mutex_);
  const auto found = containers_.find(names_.resolve(reference));
  if (found == containers_.end()) {
    throw Error(ErrorClass::kNotFound, "No such container: " + std::string(reference));  // is being created
  }
  return found->second;
}

std::vector<ContainerSnapshot> ContainerManager::list() const {
  std::vector<ContainerSnapshot> snapshots;
  {
    std::lock_guard lock(mutex_);
    snapshots.reserve(containers_.size());
    for (const auto& [id, container] : containers_) snapshots.push_back(container->snapshot());
  }
  std::ranges::sort(snapshots, [](const auto& a, const auto& b) {
    return std::tie(b.created_ns, b.id) < std::tie(a.created_ns, a.id);
  });
  return snapshots;
}

std::unique_ptr<LogFollower> ContainerManager::logs(const Container& container, const LogFilter& filter, bool follow) {
  const bool running = is_running(container.state().status);
  return std::make_unique<LogFollower>(container.log(), log_watcher_, filter,
                                       container.config().tty ? LogFraming::kRaw : LogFraming::kMultiplexed,
                                       follow && running);
}

task::Task<void> ContainerManager::start(std::shared_ptr<Container> container) {
  auto guard = co_await container->lock_lifecycle();
  co_await start_locked(std::move(container));
}

task::Task<void> ContainerManager::start_locked(std::shared_ptr<Container> container) {
  const ContainerStatus status = container->state().status;
  if (is_running(status)) throw Error(ErrorClass::kNotModified, "container " + container->id() + " is running");
  if (!can_start(status)) {
    throw Error(ErrorClass::kConflict, "container is marked for removal and cannot be started");
  }
  co_await container->cleaned_up().wait();
  container->cleaned_up().reset();
  std::optional<Error> failure;
  try {
    const SeccompFilters* const filters = options_.programs.is_crun ? &seccomp_filters_ : nullptr;
    std::optional<std::string> profile = co_await task::blocking([this, &container, filters] {
      return write_bundle(*container, images_.layer_directories(container->image_id()), filters);
    });
    const MonitorProcesses processes = co_await create_with_monitor(options_.programs, monitored(*container));
    UniqueFd monitor = open_process(processes.monitor_pid, processes.monitor_start_time);
    container->set_init_process(open_process(processes.init_pid, 0));
    if (profile) {
      co_await task::blocking(
          [&] { seccomp_filters_.learn(std::move(*profile), options_.programs.state_directory, container->id()); });
    }
    if (container->log()) container->log()->set_live();
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
  // It runs, whatever the disk says: the next daemon finds it by its bundle.
  co_await succeeds(container->id(), save_state(container));
}

task::Task<void> ContainerManager::undo_start(std::shared_ptr<Container> container, Error failure) {
  co_await runtime_delete(options_.programs, container->id());
  container->set_init_process(UniqueFd());
  if (container->log()) container->log()->set_ended();
  container->update_state([&](ContainerState& state) {
    state.mark_start_failed(start_failure_code(failure.message()), failure.message());
  });
  container->cleaned_up().set();
  changed();
  co_await succeeds(container->id(), save_state(container));
  if (container->config().host.auto_remove) {
    scope_.spawn_on(worker_, "mgr.ContainerManager: remove", remove_when_exited(container));
  }
  throw failure;
}

void ContainerManager::watch(std::shared_ptr<Container> container, UniqueFd monitor) {
  if (container->log() && container->log()->rotates()) log_watcher_.add(container->log());
  scope_.spawn_on(worker_, "mgr.Container: watch exit", watch_exit(std::move(container), std::move(monitor)));
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
  if (container->log()) {
    container->log()->set_ended();
    if (container->log()->rotates()) log_watcher_.remove(container->log());
  }
  const auto exit =
      co_await task::blocking([&] { return read_exit_status(container->paths().bundle, container->id()); });
  container->set_init_process(UniqueFd());
  const ContainerState state = container->update_state([&](ContainerState& changing) {
    changing.mark_exited(exit ? exit->code : 255, false, exit ? exit->finished_at_ns : wall_now_ns());
    if (!exit) changing.error = "the container's monitor was killed";
  });
  changed();
  const bool saved = co_await succeeds(container->id(), save_state(container));
  container->tell_exited(state.exit_code);
  co_await runtime_delete(options_.programs, container->id());
  if (container->log()) co_await succeeds(container->id(), end_torn_record(container));
  // The bundle has the exit status, for the next daemon if the record has it not.
  if (saved) co_await task::blocking([&] { remove_tree(container->paths().bundle); });
  container->cleaned_up().set();
  if (container->config().host.auto_remove) {
    scope_.spawn_on(worker_, "mgr.ContainerManager: remove", remove_when_exited(container));
  }
}

task::Task<void> ContainerManager::remove_when_exited(std::shared_ptr<Container> container) {
  co_await task::shielded(std::chrono::minutes(1), remove(std::move(container), true));
}

task::Task<void> ContainerManager::stop(std::shared_ptr<Container> container, StopRequest request) {
  auto guard = co_await container->lock_lifecycle();
  if (!is_running(container->state().status)) {
    throw Error(ErrorClass::kNotModified, "container " + container->id() + " is not running");
  }
  co_await stop_locked(std::move(container), std::move(request));
}

task::Task<void> ContainerManager::stop_locked(std::shared_ptr<Container> container, StopRequest request) {
  const std::optional<int> number =
      request.signal.empty() ? stop_signal_number(container->config()) : parse_signal(request.signal);
  if (!number) throw Error(ErrorClass::kInvalidArgument, "Invalid signal: " + request.signal);
  const int timeout_s = request.timeout_s.value_or(container->config().stop_timeout.value_or(kStopTimeoutDefault_s));
  Container::Waiter exited = container->wait(WaitCondition::kNotRunning);
  try {
    container->signal(*number);
    if (timeout_s < 0) {
      co_await exited.result();
      co_return;
    }
    co_await task::with_deadline(std::chrono::seconds(timeout_s), exited.result());
    co_return;
  } catch (const Error& error) {
    if (error.error_class() == ErrorClass::kConflict) co_return;  // it has ended by itself meanwhile
    if (error.error_class() != ErrorClass::kDeadlineExceeded) throw;
  }
  exited = container->wait(WaitCondition::kNotRunning);
  if (is_running(container->state().status)) container->signal(SIGKILL);
  co_await task::with_deadline(kKillWaitMax, exited.result());
}

task::Task<void> ContainerManager::restart(std::shared_ptr<Container> container, StopRequest request) {
  auto guard = co_await container->lock_lifecycle();
  if (is_running(container->state().status)) co_await stop_locked(container, std::move(request));
  co_await start_locked(std::move(container));
}

void ContainerManager::kill(Container& container, const std::string& signal) {
  const std::optional<int> number = parse_signal(signal.empty() ? "KILL" : signal);
  if (!number) throw Error(ErrorClass::kInvalidArgument, "Invalid signal: " + signal);
  container.signal(*number);
}

task::Task<void> ContainerManager::remove(std::shared_ptr<Container> container, bool force) {
  auto guard = co_await container->lock_lifecycle();
  ContainerState state = container->state();
  if (state.status == ContainerStatus::kRemoving) {
    throw Error(ErrorClass::kConflict, "removal of container " + container->id() + " is already in progress");
  }
  if (!can_remove(state.status, force)) {
    throw Error(ErrorClass::kConflict, "cannot remove container \"/" + container->snapshot().name +
                                           "\": container is " + std::string(to_string(state.status)) +
                                           ": stop the container before removing or force remove");
  }
  if (is_running(state.status)) co_await stop_locked(container, {.timeout_s = 0, .signal = "KILL"});
  co_await container->cleaned_up().wait();
  container->update_state([](ContainerState& changing) { changing.change_to(ContainerStatus::kRemoving); });
  changed();
  // What follows makes room, where a full disk does not take this.
  co_await succeeds(container->id(), save_state(container));
  if (container->log()) container->log()->close();
  std::optional<Error> failure;
  try {
    co_await remove_files(container);
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) {
    container->update_state([](ContainerState& changing) { changing.change_to(ContainerStatus::kDead); });
    changed();
    co_await succeeds(container->id(), save_state(container));
    throw *failure;
  }
  forget(*container);
  container->tell_removed();
  co_await task::blocking([this] { images_.release_unused(image_users()); });
}

std::vector<ImageUser> ContainerManager::image_users() const {
  std::vector<ImageUser> users;
  for (const ContainerSnapshot& container : list()) {
    users.push_back({container.id, container.image_id, is_running(container.state.status)});
  }
  return users;
}

task::Task<void> ContainerManager::remove_files(std::shared_ptr<Container> container) {
  co_await task::blocking([&] {
    const ContainerPaths& paths = container->paths();
    remove_tree(paths.bundle);
    if (!remove_tree(paths.directory)) {
      throw Error(ErrorClass::kInternal,
                  "container " + container->id() + ": not all of " + paths.directory + " could be removed");
    }
    store_.remove(container->id());
  });
}

void ContainerManager::forget(const Container& container) {
  {
    std::lock_guard lock(mutex_);
    names_.remove(container.id());
    containers_.erase(container.id());
  }
  changed();
}

task::Task<void> ContainerManager::end_torn_record(std::shared_ptr<Container> container) {
  co_await task::blocking([&] { container->log()->files().end_torn_record(); });
}

task::Task<void> ContainerManager::save_state(std::shared_ptr<Container> container) {
  co_await task::blocking([&] { store_.update_state(container->id(), container->state()); });
}

void ContainerManager::release_clients() {
  std::lock_guard lock(mutex_);
  for (const auto& [id, container] : containers_) {
    if (container->log()) container->log()->release();
    container->drop_waiters();
  }
}

task::Task<void> ContainerManager::stop(bool stop_containers) {
  if (stop_containers) {
    std::vector<task::Task<void>> stops;
    for (const ContainerSnapshot& snapshot : list()) {
      if (is_running(snapshot.state.status)) stops.push_back(stop(find(snapshot.id), {}));
    }
    try {
      co_await task::when_all(std::move(stops));
    } catch (const Error& error) {
      spdlog::error("stopping containers: {}", error.message());
    }
  }
  scope_.cancel(task::CancelReason::kShutdown);
  co_await scope_.join();
  co_await log_watcher_.stop();
}

}  // namespace quoll::mgr
