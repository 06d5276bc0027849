// What changes a container without starting or ending it: pause, rename, update.
#include <nlohmann/json.hpp>

#include "mgr/container/container_bundle.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/container/spec.hpp"
#include "mgr/network/network_manager.hpp"
#include "mgr/runtime/runtime_commands.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

task::Task<void> ContainerManager::pause(std::shared_ptr<Container> container) {
  auto guard = co_await container->lock_lifecycle();
  const ContainerStatus status = container->state().status;
  const std::string named = "container " + container->id();
  if (status == ContainerStatus::kPaused) throw Error(ErrorClass::kConflict, named + " is already paused");
  if (status == ContainerStatus::kRestarting) {
    throw Error(ErrorClass::kConflict, named + " is restarting, wait until the container is running");
  }
  if (!can_pause(status)) throw Error(ErrorClass::kConflict, named + " is not running");
  co_await runtime_pause(options_.programs, container->id());
  container->update_state([](ContainerState& state) { state.change_to(ContainerStatus::kPaused); });
  changed();
  publish(*container, "pause");
  co_await succeeds(container->id(), save_state(container));
}

task::Task<void> ContainerManager::unpause(std::shared_ptr<Container> container) {
  auto guard = co_await container->lock_lifecycle();
  if (!can_unpause(container->state().status)) {
    throw Error(ErrorClass::kConflict, "container " + container->id() + " is not paused");
  }
  co_await resume(container);
}

task::Task<void> ContainerManager::resume(std::shared_ptr<Container> container) {
  co_await runtime_resume(options_.programs, container->id());
  container->update_state([](ContainerState& state) {
    if (state.status == ContainerStatus::kPaused) state.change_to(ContainerStatus::kRunning);  // else it has ended
  });
  changed();
  publish(*container, "unpause");
  co_await succeeds(container->id(), save_state(container));
}

task::Task<void> ContainerManager::rename(std::shared_ptr<Container> container, std::string name) {
  name = validate_container_name(name);
  auto guard = co_await container->lock_lifecycle();
  const std::string old_name = container->name();
  {
    std::lock_guard lock(mutex_);
    names_.rename(container->id(), name);
  }
  std::exception_ptr failure;
  try {
    ContainerRecord record = record_of(container->snapshot());
    record.name = name;
    co_await save_record(std::move(record));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    std::lock_guard lock(mutex_);
    names_.rename(container->id(), old_name);
    std::rethrow_exception(failure);
  }
  container->rename(name);
  changed();
  const SharedNetwork network = container->state().network;
  co_await succeeds(container->id(), networks_.rename(member_of(*container), *network));
  publish(*container, "rename", {{"oldName", "/" + old_name}});
}

task::Task<std::vector<std::string>> ContainerManager::update(std::shared_ptr<Container> container,
                                                              ContainerUpdate change) {
  auto guard = co_await container->lock_lifecycle();
  const ContainerStatus status = container->state().status;
  if (status == ContainerStatus::kRemoving || status == ContainerStatus::kDead) {
    throw Error(ErrorClass::kConflict, "Cannot update container " + container->id() +
                                           ": Container is marked for removal and cannot be \"update\".");
  }
  const auto before = container->config();
  ContainerConfig config = *before;
  apply_update(config.host, change);
  std::vector<std::string> warnings;
  nlohmann::json limits;  // also of one that does not run: what this host does not have is refused
  if (change.limits) limits = spec_limits(config.host, host_facts(), warnings);
  if (change.limits && (status == ContainerStatus::kRunning || status == ContainerStatus::kPaused)) {
    co_await runtime_update(options_.programs, container->id(), limits.dump());
  }
  ContainerRecord record = record_of(container->snapshot());
  record.config = config;
  co_await save_record(std::move(record));
  container->set_config(std::move(config));
  changed();
  publish(*container, "update");
  co_return warnings;
}

task::Task<void> ContainerManager::keep_build_step(std::shared_ptr<Container> container) {
  auto guard = co_await container->lock_lifecycle();
  ContainerConfig config = *container->config();
  config.build_step = false;
  ContainerRecord record = record_of(container->snapshot());
  record.config = config;
  co_await save_record(std::move(record));
  container->set_config(std::move(config));
}

}  // namespace quoll::mgr
