// The end of a container's record: removal by a client, after the exit with --rm, and of what is left of one.
#include <spdlog/spdlog.h>

#include <chrono>

#include "mgr/container/container_manager.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/remove_tree.hpp"
#include "mgr/runtime/cgroup.hpp"
#include "mgr/volume/directory_size.hpp"
#include "mgr/volume/volume_manager.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"
#include "task/this_task.hpp"

namespace quoll::mgr {
namespace {

constexpr auto kRemovalMax = std::chrono::minutes(5);

}  // namespace

task::Task<void> ContainerManager::remove(std::shared_ptr<Container> container, RemoveRequest request) {
  auto guard = co_await container->lock_lifecycle();
  ContainerState state = container->state();
  if (state.status == ContainerStatus::kRemoving) {
    throw Error(ErrorClass::kConflict, "removal of container " + container->id() + " is already in progress");
  }
  if (!can_remove(state.status, request.force) && state.status == ContainerStatus::kPaused) {
    throw Error(ErrorClass::kConflict, "cannot remove container \"/" + container->name() +
                                           "\": container is paused and must be unpaused first");
  }
  if (!can_remove(state.status, request.force)) {
    throw Error(ErrorClass::kConflict, "cannot remove container \"/" + container->name() + "\": container is " +
                                           std::string(to_string(state.status)) +
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
  if (on_removed_) on_removed_(container->id());
  publish(*container, "destroy");
  co_await task::blocking([&] { volumes_.release(container->id(), request.anonymous_volumes); });
  container->tell_removed();
  co_await task::blocking([this] { images_.release_unused([this] { return image_users(); }); });
}

task::Task<PrunedContainers> ContainerManager::prune(std::function<bool(const ContainerSnapshot&)> wanted) {
  struct Pruning {
    explicit Pruning(std::atomic<bool>& flag) : flag(flag) {
      if (flag.exchange(true)) throw Error(ErrorClass::kConflict, "a prune operation is already running");
    }
    ~Pruning() { flag = false; }
    std::atomic<bool>& flag;
  } pruning(pruning_);
  PrunedContainers pruned;
  for (const ContainerSnapshot& snapshot : list()) {
    if (is_running(snapshot.state.status) || !wanted(snapshot)) continue;
    task::this_task::cancel_token().throw_if_cancelled();
    const std::string upper = find(snapshot.id)->paths().directory + "/upper";
    const std::int64_t bytes =
        co_await task::blocking([&upper](std::stop_token stop) { return directory_size(upper, stop); });
    try {
      co_await task::shielded(kRemovalMax, remove(find(snapshot.id), {}));
    } catch (const Error& error) {
      // Started or removed by another meanwhile; what cannot be removed stays for the next time.
      spdlog::info("prune: container {}: {}", snapshot.id, error.message());
      continue;
    }
    pruned.ids.push_back(snapshot.id);
    pruned.bytes += bytes;
  }
  events_.publish({"container", "prune", "", {{"reclaimed", std::to_string(pruned.bytes)}}, 0});
  co_return pruned;
}

task::Task<void> ContainerManager::remove_when_exited(std::shared_ptr<Container> container) {
  co_await task::shielded(std::chrono::minutes(1),
                          remove(std::move(container), {.force = true, .anonymous_volumes = true}));
}

task::Task<void> ContainerManager::remove_files(std::shared_ptr<Container> container) {
  co_await task::blocking([&] {
    const ContainerPaths& paths = container->paths();
    // The runtime deletes it, but not where it was cut short in a start: by a kill of the daemon, say.
    remove_cgroup(paths.cgroup);
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

}  // namespace quoll::mgr
