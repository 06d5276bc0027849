// Namespaces of other containers: PidMode and IpcMode "container:ID".
#include "mgr/container/container_bundle.hpp"
#include "mgr/container/container_manager.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::string_view kPrefix = "container:";

}  // namespace

void ContainerManager::resolve_joins(HostConfig& host) const {
  for (std::string* mode : {&host.pid_mode, &host.ipc_mode}) {
    if (mode->starts_with(kPrefix)) *mode = std::string(kPrefix) + find_named(mode->substr(kPrefix.size()))->id();
  }
}

std::shared_ptr<Container> ContainerManager::find_named(std::string_view reference, const std::string& what) const {
  try {
    return find(reference);
  } catch (const Error& error) {
    // Not "not found", which clients take for the image: they would pull it.
    throw Error(ErrorClass::kInvalidArgument, what + error.message());
  }
}

JoinedContainers ContainerManager::joined_by(const Container& container) const {
  const auto config = container.config();
  const auto join = [&](const std::string& mode, const char* what) -> std::optional<JoinedContainer> {
    if (!mode.starts_with(kPrefix)) return std::nullopt;
    const std::shared_ptr<Container> other = find(mode.substr(kPrefix.size()));
    const ContainerState state = other->state();
    if (state.status == ContainerStatus::kRestarting) {
      throw Error(ErrorClass::kConflict,
                  "container " + other->id() + " is restarting, wait until the container is running");
    }
    if (!can_kill(state.status)) {
      throw Error(ErrorClass::kConflict,
                  std::string("cannot join ") + what + " of a non running container: " + other->id());
    }
    return JoinedContainer{state.pid};
  };
  const HostConfig& host = config->host;
  JoinedContainers joined{join(host.pid_mode, "PID namespace"), join(host.ipc_mode, "IPC namespace")};
  if (joined.ipc) {
    const std::string other_mode = find(host.ipc_mode.substr(kPrefix.size()))->config()->host.ipc_mode;
    if (other_mode != "shareable" && other_mode != "host") {
      throw Error(ErrorClass::kConflict,
                  "cannot join IPC namespace of container " + host.ipc_mode.substr(kPrefix.size()) +
                      ": non-shareable IPC (hint: use IpcMode:shareable for the donor container)");
    }
  }
  return joined;
}

}  // namespace quoll::mgr
