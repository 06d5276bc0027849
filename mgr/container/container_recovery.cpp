// What the manager does at its start with what an earlier daemon has left.
#include <spdlog/spdlog.h>

#include <chrono>
#include <filesystem>

#include "mgr/container/container_bundle.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/container/restart_policy.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/remove_tree.hpp"
#include "mgr/network/network_manager.hpp"
#include "mgr/runtime/cgroup.hpp"
#include "mgr/runtime/host_process.hpp"
#include "mgr/runtime/monitor.hpp"
#include "mgr/runtime/runtime_commands.hpp"
#include "mgr/volume/volume_manager.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/timer.hpp"

namespace quoll::mgr {
namespace {

constexpr int kUnknownExitCode = 255;
constexpr auto kLogReopenWait = std::chrono::milliseconds(200);
constexpr auto kCreateWaitMax = std::chrono::seconds(5);
constexpr auto kCreatePoll = std::chrono::milliseconds(10);

// A monitor that the killed daemon has started may still be creating the container. Nothing can be cleaned up before it
// has: the cgroup would be made afterwards.
task::Task<void> wait_for_create(std::string bundle) {
  for (auto waited = kCreatePoll * 0; waited < kCreateWaitMax; waited += kCreatePoll) {
    const bool creating = co_await task::blocking([&bundle] {
      return read_pid_file(bundle + "/init.pid") == 0 &&
             open_process(read_pid_file(bundle + "/monitor.pid"), 0).get() >= 0;
    });
    if (!creating) co_return;
    co_await task::sleep_for(kCreatePoll);
  }
}

}  // namespace

task::Task<void> ContainerManager::open() {
  log_watcher_.start(worker_);
  co_await task::blocking([this] { make_init_layer(init_layer()); });
  auto records = co_await task::blocking([this] { return store_.load_all(); });
  for (ContainerRecord& record : records) {
    const ContainerPaths paths = paths_of(record.id, record.config.host);
    if (record.state.network->attachments.empty()) {  // of a daemon that had no networks, or a container's
      record.state.network = SharedNetwork(networks_.resolve(record.config.host.network_mode, {}));
    }
    // A removal that was cut short may have left the record and little else, which does not keep it from being removed.
    std::filesystem::create_directories(paths.log_directory());
    auto container = std::make_shared<Container>(record.id, record.name, record.created_ns, record.image_id,
                                                 record.config, record.state, paths);
    {
      std::lock_guard lock(mutex_);
      names_.add(record.id, record.name);
      containers_.emplace(record.id, container);
    }
    co_await task::blocking([&] {
      for (const MountConfig& mount : record.config.mounts) {
        if (mount.kind == MountConfig::Kind::kVolume) volumes_.hold({.name = mount.source}, record.id);
      }
    });
    try {
      co_await take_up(container);
    } catch (const Error& error) {
      spdlog::error("container {}: {}", record.id, error.message());
    }
  }
  co_await task::blocking([this] {
    // Directories without a record: a creation that did not get as far as its record.
    for (const std::string& parent : {options_.root + "/containers", options_.exec_root + "/containers"}) {
      std::filesystem::create_directories(parent);
      for (const auto& entry : std::filesystem::directory_iterator(parent)) {
        std::lock_guard lock(mutex_);
        if (!containers_.contains(entry.path().filename())) remove_tree(entry.path());
      }
    }
  });
  co_await networks_.settle();
  co_await task::blocking([this] {
    images_.release_unused([this] { return image_users(); });
    for (const std::string& id : images_.damaged()) {
      spdlog::error("image {}: files are missing or damaged; loading it again repairs it", id);
    }
  });
  changed();
}

void ContainerManager::restart_containers() {
  for (const ContainerSnapshot& snapshot : list()) {
    if (snapshot.state.status != ContainerStatus::kExited) continue;
    if (!restarts_with_daemon(snapshot.config->host.restart, snapshot.state)) continue;
    scope_.spawn_on(worker_, "mgr.Container: restart", start_with_daemon(find(snapshot.id)));
  }
}

task::Task<void> ContainerManager::take_up(std::shared_ptr<Container> container) {
  const ContainerStatus status = container->state().status;
  if (status == ContainerStatus::kRemoving || status == ContainerStatus::kDead) {
    co_await runtime_delete(options_.programs, container->id());
    co_await remove_files(container);
    forget(*container);
    co_return;
  }
  if (co_await take_up_running(container)) {
    if (container->config()->build_step) co_await remove(container, {.force = true, .anonymous_volumes = true});
    co_return;
  }
  // No process is left, or only one of a start that nobody was told of.
  container->update_state([](ContainerState& state) { state.network = SharedNetwork(without_run(*state.network)); });
  const bool bundle_left = std::filesystem::exists(container->paths().bundle);
  const bool killed_for_memory = was_killed_for_memory(container->paths().cgroup);  // while the cgroup is there
  if (bundle_left) {
    co_await wait_for_create(container->paths().bundle);
    co_await runtime_delete(options_.programs, container->id());
  }
  if (status == ContainerStatus::kRestarting) {
    container->update_state([](ContainerState& state) { state.change_to(ContainerStatus::kExited); });
    co_await save_state(container);
  } else if (is_running(status)) {
    const auto exit = read_exit_status(container->paths().bundle, container->id());
    container->update_state([&](ContainerState& state) {
      state.mark_exited(exit ? exit->code : kUnknownExitCode, killed_for_memory,
                        exit ? exit->finished_at_ns : wall_now_ns());
      if (!exit) state.error = "the container ended while no daemon ran, and left no exit status";
    });
    co_await save_state(container);
    if (container->log()) container->log()->files().end_torn_record();
  }
  if (bundle_left) co_await task::blocking([&] { remove_tree(container->paths().bundle); });
  const bool goes_with_run = is_running(status) && container->config()->host.auto_remove;
  if (goes_with_run || container->config()->build_step) {
    co_await remove(container, {.force = true, .anonymous_volumes = true});
  }
}

// True where the container runs and is watched on: the record says so and its monitor lives, or the daemon was killed
// between the start and the record of it.
task::Task<bool> ContainerManager::take_up_running(std::shared_ptr<Container> container) {
  ContainerState state = container->state();
  UniqueFd monitor = open_process(state.monitor_pid, state.monitor_start_time);
  if (!is_running(state.status)) {
    const auto processes = read_left_processes(container->paths().bundle);
    if (!processes || co_await runtime_status(options_.programs, container->id()) != "running") co_return false;
    monitor = open_process(processes->monitor_pid, processes->monitor_start_time);
    if (!monitor) co_return false;
    container->update_state([&](ContainerState& changing) {
      changing.mark_running(processes->init_pid, wall_now_ns());
      changing.monitor_pid = processes->monitor_pid;
      changing.monitor_start_time = processes->monitor_start_time;
      if (auto network = read_left_network(container->paths().bundle)) changing.network = SharedNetwork(*network);
    });
    co_await save_state(container);
    state = container->state();
  }
  if (!monitor) co_return false;
  networks_.take_up(member_of(*container), *state.network);
  container->set_init_process(open_process(state.pid, 0));
  container->cleaned_up().reset();
  container->open_streams();
  if (const auto& log = container->log()) {
    log->set_live();
    if (log->files().awaiting_file()) {
      // A rotation was cut short: either the monitor is about to open its new file, or it was never asked.
      co_await task::sleep_for(kLogReopenWait);
      if (!log->files().adopt_new()) request_of_monitor(container->paths().bundle, kReopenLogRequest);
    }
  }
  watch(container, std::move(monitor));
  co_return true;
}

}  // namespace quoll::mgr
