// The volumes of this host, and which containers mount them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "mgr/event/event_bus.hpp"
#include "mgr/volume/volume_store.hpp"

namespace quoll::mgr {

struct VolumeUsage {
  std::shared_ptr<const Volume> volume;
  std::int64_t bytes = 0;
  std::size_t containers = 0;
};

struct VolumePruneResult {
  std::vector<std::string> names;
  std::int64_t bytes = 0;
};

// A volume is in use from the creation of a container that mounts it to that container's removal, running or not.
//
// Lifetime: open() before use; outlives the containers' manager.
// Thread:   any. What says so blocks on the disk.
// Errors:   Docker's classes and words. After a crash at any moment a volume is there with all that is in it, or gone.
class VolumeManager {
 public:
  using Volumes = std::vector<std::shared_ptr<const Volume>>;

  VolumeManager(std::string root, VolumeStore& store, EventBus& events);

  // Loads the records and finishes removals that were cut short. Blocks.
  void open();

  // The volume of that name where there is one already. Blocks.
  std::shared_ptr<const Volume> create(const VolumeRequest& request);
  std::shared_ptr<const Volume> get(const std::string& name) const;
  Volumes list() const;  // by name
  bool is_in_use(const std::string& name) const;

  // Blocks. With `force` a volume that is not there is no error; one in use is never removed.
  void remove(const std::string& name, bool force);
  // Removes all that are not in use and that `wanted` allows. Blocks.
  VolumePruneResult prune(const std::function<bool(const Volume&)>& wanted, const std::stop_token& stop);
  // What each takes on disk. Blocks. Cancel: kCancelled.
  std::vector<VolumeUsage> usage(const std::stop_token& stop) const;

  // Makes the volume if it is not there, and keeps it until the container lets go. Blocks.
  std::shared_ptr<const Volume> hold(const VolumeRequest& request, const std::string& container_id);
  // Lets go of all that the container holds; with `remove_anonymous`, those of them that nobody else holds are removed.
  // Blocks.
  void release(const std::string& container_id, bool remove_anonymous);

  // "mount" and "unmount" of a container's start and end.
  void tell_mounted(const std::string& name, const std::string& container_id, const std::string& target,
                    bool read_only) const;
  void tell_unmounted(const std::string& name, const std::string& container_id) const;

 private:
  struct Entry {
    std::shared_ptr<const Volume> volume;
    std::set<std::string> containers;
  };

  std::string directory_of(const std::string& name) const { return directory_ + "/" + name; }
  std::string removed_directory_of(const std::string& name) const { return directory_ + "/.removed-" + name; }
  void complete(Volume& volume) const;
  // REQUIRES: changing_ held, as the two below.
  std::shared_ptr<const Volume> create_locked(const VolumeRequest& request);
  void remove_locked(const Volume& volume);
  bool remove_unused(const std::string& name);
  void publish(const std::string& name, std::string action, std::map<std::string, std::string> attributes = {}) const;

  // Constant after construction.
  const std::string directory_;
  VolumeStore& store_;
  EventBus& events_;

  std::mutex changing_;  // held over the disk by what creates and removes; taken before mutex_
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // guarded by mutex_
};

}  // namespace quoll::mgr
