// The end of a container's record: removal by a client, after the exit with --rm, and of what is left of one.
#include <chrono>

#include "mgr/container/container_manager.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/remove_tree.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

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
  publish(*container, "destroy");
  container->tell_removed();
  co_await task::blocking([this] { images_.release_unused(image_users()); });
}

task::Task<void> ContainerManager::remove_when_exited(std::shared_ptr<Container> container) {
  co_await task::shielded(std::chrono::minutes(1), remove(std::move(container), true));
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

}  // namespace quoll::mgr
