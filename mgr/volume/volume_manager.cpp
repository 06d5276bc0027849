#include "mgr/volume/volume_manager.hpp"

#include <spdlog/spdlog.h>

#include <filesystem>

#include "mgr/container/container_id.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/remove_tree.hpp"
#include "mgr/volume/directory_size.hpp"
#include "mgr/wall_clock.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

namespace fs = std::filesystem;

void make_directory(const std::string& path, fs::perms mode) {
  std::error_code error;
  fs::create_directory(path, error);
  if (!error) fs::permissions(path, mode, error);
  if (error) throw system_error(error.value(), "create " + path);
}

constexpr auto kTraversable = fs::perms::owner_all | fs::perms::others_exec;
constexpr auto kReadable = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                           fs::perms::others_read | fs::perms::others_exec;

std::string no_such_volume(const std::string& name) { return "get " + name + ": no such volume"; }

}  // namespace

VolumeManager::VolumeManager(std::string root, VolumeStore& store, EventBus& events)
    : directory_(std::move(root) + "/volumes"), store_(store), events_(events) {}

void VolumeManager::open() {
  make_directory(directory_, kTraversable);
  for (Volume& volume : store_.load_all()) {
    if (path_exists(removed_directory_of(volume.name))) {
      store_.remove(volume.name);  // the removal had begun
      continue;
    }
    complete(volume);
    std::string name = volume.name;
    entries_.emplace(std::move(name), Entry{std::make_shared<const Volume>(std::move(volume)), {}});
  }
  for (const auto& entry : fs::directory_iterator(directory_)) {
    if (entry.path().filename().string().starts_with(".removed-")) remove_tree(entry.path());
  }
}

void VolumeManager::complete(Volume& volume) const {
  volume.mountpoint = directory_of(volume.name) + "/_data";
  apply_volume_options({.name = volume.name, .driver = "", .options = volume.options, .labels = {}}, volume);
}

std::shared_ptr<const Volume> VolumeManager::create(const VolumeRequest& request) {
  std::lock_guard changing(changing_);
  return create_locked(request);
}

std::shared_ptr<const Volume> VolumeManager::create_locked(const VolumeRequest& request) {
  Volume volume;
  volume.name = request.name.empty() ? new_container_id() : request.name;
  check_volume_name(volume.name);
  apply_volume_options(request, volume);
  {
    std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(volume.name); found != entries_.end()) return found->second.volume;
  }
  volume.labels = request.labels;
  if (request.name.empty()) volume.labels.emplace(kAnonymousVolumeLabel, "");
  volume.created_ns = wall_now_ns();
  complete(volume);
  // A directory without a record may be the data of a lost database: it is taken over, never emptied.
  make_directory(directory_of(volume.name), kTraversable);
  make_directory(volume.mountpoint, kReadable);
  store_.save(volume);
  auto created = std::make_shared<const Volume>(std::move(volume));
  {
    std::lock_guard lock(mutex_);
    entries_.emplace(created->name, Entry{created, {}});
  }
  publish(created->name, "create");
  return created;
}

std::shared_ptr<const Volume> VolumeManager::get(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw Error(ErrorClass::kNotFound, no_such_volume(name));
  return found->second.volume;
}

VolumeManager::Volumes VolumeManager::list() const {
  Volumes volumes;
  std::lock_guard lock(mutex_);
  for (const auto& [name, entry] : entries_) volumes.push_back(entry.volume);
  return volumes;
}

bool VolumeManager::is_in_use(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  return found != entries_.end() && !found->second.containers.empty();
}

void VolumeManager::remove(const std::string& name, bool force) {
  std::lock_guard changing(changing_);
  std::shared_ptr<const Volume> volume;
  {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      if (force) return;
      throw Error(ErrorClass::kNotFound, no_such_volume(name));
    }
    if (!found->second.containers.empty()) {
      std::string users;
      for (const std::string& id : found->second.containers) users += (users.empty() ? "" : ", ") + id;
      throw Error(ErrorClass::kConflict, "remove " + name + ": volume is in use - [" + users + "]");
    }
    volume = found->second.volume;
  }
  remove_locked(*volume);
}

// The rename decides: before it the volume is whole, after it the removal is finished, now or at the next start.
void VolumeManager::remove_locked(const Volume& volume) {
  const std::string removed = removed_directory_of(volume.name);
  if (path_exists(directory_of(volume.name))) rename_path(directory_of(volume.name), removed);
  store_.remove(volume.name);
  if (!remove_tree(removed)) spdlog::warn("volume {}: not all of {} could be removed", volume.name, removed);
  {
    std::lock_guard lock(mutex_);
    entries_.erase(volume.name);
  }
  publish(volume.name, "destroy");
}

bool VolumeManager::remove_unused(const std::string& name) {
  std::shared_ptr<const Volume> volume;
  {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end() || !found->second.containers.empty()) return false;
    volume = found->second.volume;
  }
  remove_locked(*volume);
  return true;
}

VolumePruneResult VolumeManager::prune(const std::function<bool(const Volume&)>& wanted, const std::stop_token& stop) {
  VolumePruneResult result;
  for (const auto& volume : list()) {
    if (stop.stop_requested()) throw Error(ErrorClass::kCancelled, "volume prune: cancelled");
    if (!wanted(*volume) || is_in_use(volume->name)) continue;
    const std::int64_t bytes = directory_size(volume->mountpoint, stop);
    std::lock_guard changing(changing_);
    if (!remove_unused(volume->name)) continue;
    result.names.push_back(volume->name);
    result.bytes += bytes;
  }
  events_.publish({"volume", "prune", "", {{"reclaimed", std::to_string(result.bytes)}}, 0});
  return result;
}

std::vector<VolumeUsage> VolumeManager::usage(const std::stop_token& stop) const {
  std::vector<VolumeUsage> usages;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, entry] : entries_) usages.push_back({entry.volume, 0, entry.containers.size()});
  }
  for (VolumeUsage& usage : usages) usage.bytes = directory_size(usage.volume->mountpoint, stop);
  return usages;
}

std::shared_ptr<const Volume> VolumeManager::hold(const VolumeRequest& request, const std::string& container_id) {
  std::lock_guard changing(changing_);
  auto volume = create_locked(request);
  std::lock_guard lock(mutex_);
  entries_.at(volume->name).containers.insert(container_id);
  return volume;
}

void VolumeManager::release(const std::string& container_id, bool remove_anonymous) {
  std::lock_guard changing(changing_);
  std::vector<std::shared_ptr<const Volume>> unused;
  {
    std::lock_guard lock(mutex_);
    for (auto& [name, entry] : entries_) {
      if (entry.containers.erase(container_id) == 0) continue;
      if (entry.containers.empty() && entry.volume->is_anonymous()) unused.push_back(entry.volume);
    }
  }
  if (!remove_anonymous) return;
  for (const auto& volume : unused) remove_locked(*volume);
}

void VolumeManager::tell_mounted(const std::string& name, const std::string& container_id, const std::string& target,
                                 bool read_only) const {
  publish(name, "mount",
          {{"container", container_id},
           {"destination", target},
           {"propagation", ""},
           {"read/write", read_only ? "false" : "true"}});
}

void VolumeManager::tell_unmounted(const std::string& name, const std::string& container_id) const {
  publish(name, "unmount", {{"container", container_id}});
}

void VolumeManager::publish(const std::string& name, std::string action,
                            std::map<std::string, std::string> attributes) const {
  attributes["driver"] = "local";
  events_.publish({"volume", std::move(action), name, std::move(attributes), 0});
}

}  // namespace quoll::mgr
