#include "mgr/container/container_manager.hpp"

#include <spdlog/spdlog.h>

#include <chrono>

#include "mgr/container/container_bundle.hpp"
#include "mgr/container/container_id.hpp"
#include "mgr/container/container_volumes.hpp"
#include "mgr/files/inode.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/remove_tree.hpp"
#include "mgr/log_failure.hpp"
#include "mgr/network/network_manager.hpp"
#include "mgr/runtime/detached_overlay.hpp"
#include "mgr/volume/volume_manager.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

// A container that asks for another runtime than the one there is.
void check_runtime(const ContainerConfig& config, const RuntimePrograms& programs) {
  const std::string& wanted = config.host.runtime;
  const std::string& path = programs.runtime;
  if (wanted.empty() || wanted == path || wanted == path.substr(path.rfind('/') + 1)) return;
  throw Error(ErrorClass::kInvalidArgument, "unknown or invalid runtime name: " + wanted);
}

// The runtime makes one that is not there, and has other words for what is there and is no directory.
void check_working_directory(const std::string& path, const UniqueFd& image_root) {
  const UniqueFd place = find_in_root(image_root.get(), path, true);
  if (!place || S_ISDIR(status_of(place.get()).st_mode)) return;
  throw Error(ErrorClass::kInvalidArgument, "Cannot mkdir: " + path + " is not a directory");
}

// An image of another platform than asked for is not there; where nothing was asked for, it is only said.
std::vector<std::string> platform_warnings(const Image& image, const std::string& reference,
                                           const std::optional<Platform>& wanted) {
  const Platform own = image.platform();
  if (wanted && !is_of(own, *wanted)) {
    throw Error(ErrorClass::kNotFound, "image with reference " + reference + " was found but its platform (" +
                                           to_string(own) + ") does not match the specified platform (" +
                                           to_string(*wanted) + ")");
  }
  const Platform host = host_platform();
  if (wanted || own.architecture.empty() || is_of(own, host)) return {};
  return {"The requested image's platform (" + to_string(own) + ") does not match the detected host platform (" +
          to_string(host) + ") and no specific platform was requested"};
}

}  // namespace

ContainerManager::ContainerManager(task::Worker& worker, ContainerManagerOptions options, ImageStore& images,
                                   VolumeManager& volumes, ContainerStore& store, NetworkManager& networks,
                                   EventBus& events)
    : worker_(worker),
      options_(std::move(options)),
      images_(images),
      volumes_(volumes),
      store_(store),
      networks_(networks),
      events_(events),
      scope_("mgr.ContainerManager", task::Scope::Kind::kRoot, log_failure) {}

ContainerManager::~ContainerManager() = default;

ContainerPaths ContainerManager::paths_of(const std::string& id, const HostConfig& host) const {
  const std::string& parent = host.cgroup_parent.empty() ? options_.cgroup_parent : host.cgroup_parent;
  return {.directory = options_.root + "/containers/" + id,
          .bundle = options_.exec_root + "/containers/" + id,
          .cgroup = (parent == "/" ? "" : parent) + "/" + id};
}

task::Task<CreatedContainer> ContainerManager::create(std::string name, ContainerConfig config,
                                                      std::optional<Platform> platform) {
  const Image image = co_await task::blocking([this, &config] { return images_.get(config.image); });
  std::vector<std::string> warnings = platform_warnings(image, config.image, platform);
  config = resolve_with_image(std::move(config), image.config);
  resolve_network(config);
  ContainerState state;
  state.network = SharedNetwork(networks_.resolve(config.host.network_mode, config.endpoints));
  check_runtime(config, options_.programs);
  add_volumes_from(config, [this](std::string_view other) { return find_named(other)->config()->mounts; });
  resolve_joins(config.host);
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
  const ContainerPaths paths = paths_of(id, config.host);
  std::shared_ptr<Container> container;
  std::exception_ptr failure;
  try {
    co_await task::blocking([&] {
      make_container_directories(paths);
      if (config.working_dir.size() > 1) check_working_directory(config.working_dir, image_root(paths, image.id));
      hold_volumes(config, id, paths, image.id);
      container = std::make_shared<Container>(id, name, wall_now_ns(), image.id, std::move(config), state, paths);
      for (std::string& warning : creation_warnings(*container)) warnings.push_back(std::move(warning));
      store_.save(record_of(container->snapshot()));
    });
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    co_await task::blocking([&] {
      volumes_.release(id, true);
      remove_tree(paths.directory);
    });
    std::lock_guard lock(mutex_);
    names_.remove(id);
    std::rethrow_exception(failure);
  }
  {
    std::lock_guard lock(mutex_);
    containers_.emplace(id, container);
  }
  changed();
  co_await keep_image(container);
  publish(*container, "create");
  co_return CreatedContainer{id, std::move(warnings)};
}

UniqueFd ContainerManager::image_root(const ContainerPaths& paths, const std::string& image_id) const {
  std::vector<std::string> directories{paths.directory + "/upper"};  // empty: an overlay needs two
  for (const auto& layer : images_.layer_directories(image_id)) directories.push_back(layer.string());
  return open_detached_overlay(directories);
}

void ContainerManager::hold_volumes(ContainerConfig& config, const std::string& id, const ContainerPaths& paths,
                                    const std::string& image_id) {
  try {
    mgr::hold_volumes(config, id, volumes_, [&] { return image_root(paths, image_id); });
  } catch (const Error& error) {
    // A driver that is not there must not look like an image that is not: see create().
    if (error.error_class() != ErrorClass::kNotFound) throw;
    throw Error(ErrorClass::kInvalidArgument, error.message());
  }
}

void ContainerManager::tell_volumes(const Container& container, bool mounted) const {
  for (const MountConfig& mount : container.config()->mounts) {
    if (mount.kind != MountConfig::Kind::kVolume) continue;
    if (mounted) {
      volumes_.tell_mounted(mount.source, container.id(), mount.target, mount.read_only);
    } else {
      volumes_.tell_unmounted(mount.source, container.id());
    }
  }
}

// From here on the container is among the image's users. A removal that has looked at them before takes the image away:
// then there is no container either.
task::Task<void> ContainerManager::keep_image(std::shared_ptr<Container> container) {
  std::optional<Error> failure;
  try {
    co_await task::blocking([&] { images_.layers_of(container->image_id()); });
  } catch (const Error& error) {
    failure = error;
  }
  if (!failure) co_return;
  co_await task::blocking([&] { volumes_.release(container->id(), true); });
  co_await remove_files(container);
  forget(*container);
  throw *failure;
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

std::unique_ptr<LogFollower> ContainerManager::logs(const Container& container, const LogFilter& filter, bool follow,
                                                    bool raw) {
  const bool running = is_running(container.state().status);
  return std::make_unique<LogFollower>(container.log(), log_watcher_, filter,
                                       raw || container.config()->tty ? LogFraming::kRaw : LogFraming::kMultiplexed,
                                       follow && running);
}

std::vector<ImageUser> ContainerManager::image_users() const {
  std::vector<ImageUser> users;
  for (const ContainerSnapshot& container : list()) {
    users.push_back({container.id, container.image_id, is_running(container.state.status)});
  }
  return users;
}

// True where `step` did not fail. For steps that must not keep the rest from being done: on a full disk, above all.
task::Task<bool> ContainerManager::succeeds(std::string id, task::Task<void> step) {
  try {
    co_await std::move(step);
    co_return true;
  } catch (const Error& error) {
    spdlog::error("container {}: {}", id, error.message());
  }
  co_return false;
}

task::Task<void> ContainerManager::save_record(ContainerRecord record) {
  co_await task::blocking([&] { store_.update(record); });
}

task::Task<void> ContainerManager::save_state(std::shared_ptr<Container> container) {
  co_await task::blocking([&] { store_.update_state(container->id(), container->state()); });
}

void ContainerManager::publish(const Container& container, std::string action, EventAttributes more) const {
  const ContainerSnapshot snapshot = container.snapshot();
  Event event{"container", std::move(action), snapshot.id, snapshot.config->labels, 0};
  event.attributes["image"] = snapshot.config->image;
  event.attributes["name"] = snapshot.name;
  for (auto& [key, value] : more) event.attributes[key] = std::move(value);
  events_.publish(std::move(event));
}

void ContainerManager::release_clients() {
  std::lock_guard lock(mutex_);
  for (const auto& [id, container] : containers_) {
    if (container->log()) container->log()->release();
    container->drop_waiters();
  }
}

task::Task<void> ContainerManager::stop(bool stop_containers) {
  stopping_ = true;
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
