// Automatic restarts: after an exit, and with the daemon.
#include <chrono>

#include "mgr/container/container_manager.hpp"
#include "mgr/container/restart_policy.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr auto kStartMax = std::chrono::minutes(5);

}  // namespace

// REQUIRES: the container is marked as restarting.
void ContainerManager::restart_later(std::shared_ptr<Container> container, std::chrono::milliseconds delay) {
  container->restart_cancelled().reset();
  // A stop may have come between the mark and this.
  if (container->state().status != ContainerStatus::kRestarting) return;
  scope_.spawn_on(worker_, "mgr.Container: restart", restart_after(std::move(container), delay));
}

task::Task<void> ContainerManager::restart_after(std::shared_ptr<Container> container,
                                                 std::chrono::milliseconds delay) {
  auto wait = [](task::Event& event) -> task::Task<void> { co_await event.wait(); };
  try {
    co_await task::with_deadline(delay, wait(container->restart_cancelled()));
    co_return;
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kDeadlineExceeded) throw;
  }
  auto guard = co_await container->lock_lifecycle();
  if (container->state().status != ContainerStatus::kRestarting) co_return;
  co_await task::shielded(kStartMax, begin_run(container));
}

// The state goes back to that of the exit, with nobody starting it.
task::Task<void> ContainerManager::cancel_restart(std::shared_ptr<Container> container) {
  const ContainerState state = container->update_state([](ContainerState& changing) {
    if (changing.status == ContainerStatus::kRestarting) changing.change_to(ContainerStatus::kExited);
  });
  container->restart_cancelled().set();
  changed();
  co_await succeeds(container->id(), save_state(container));
  container->tell_exited(state.exit_code);
}

task::Task<void> ContainerManager::mark_stopped_by_user(std::shared_ptr<Container> container) {
  container->update_state([](ContainerState& state) { state.stopped_by_user = true; });
  // Without a policy nobody asks, and the exit saves it anyway.
  if (container->config()->host.restart.when == RestartPolicy::When::kNo) co_return;
  co_await succeeds(container->id(), save_state(container));
}

// For a container that an earlier daemon left exited, or waiting for its restart.
task::Task<void> ContainerManager::start_with_daemon(std::shared_ptr<Container> container) {
  auto guard = co_await container->lock_lifecycle();
  if (container->state().status != ContainerStatus::kExited) co_return;
  co_await task::shielded(kStartMax, start_locked(container));
}

}  // namespace quoll::mgr
