// The containers of this host: created, started, stopped, removed, found again after a restart of the daemon.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/container/container.hpp"
#include "mgr/container/container_bundle.hpp"
#include "mgr/container/container_commit.hpp"
#include "mgr/container/container_files.hpp"
#include "mgr/container/container_names.hpp"
#include "mgr/container/container_store.hpp"
#include "mgr/container/container_update.hpp"
#include "mgr/event/event_bus.hpp"
#include "mgr/image/image_removal.hpp"
#include "mgr/image/platform.hpp"
#include "mgr/log/log_follower.hpp"
#include "mgr/log/log_watcher.hpp"
#include "mgr/runtime/runtime_programs.hpp"
#include "mgr/runtime/seccomp_filters.hpp"
#include "task/error.hpp"
#include "task/scope.hpp"

namespace quoll::mgr {

class ImageStore;
class NetworkManager;
class VolumeManager;
struct BundleNetwork;
struct NetworkFileFacts;
struct NetworkMember;

struct ContainerManagerOptions {
  std::string root;                      // kept files: ROOT/containers/ID
  std::string exec_root;                 // files of this boot: EXEC_ROOT/containers/ID
  std::string cgroup_parent = "/quoll";  // of every container's cgroup
  RuntimePrograms programs;
};

struct PrunedContainers {
  std::vector<std::string> ids;
  std::int64_t bytes = 0;  // what their own files took on disk
};

struct CreatedContainer {
  std::string id;
  std::vector<std::string> warnings;
};

struct RemoveRequest {
  bool force = false;              // kill it first if it runs
  bool anonymous_volumes = false;  // those that no other container mounts go with it
};

struct StopRequest {
  std::optional<int> timeout_s;  // nothing: the container's own, else 10; negative: for ever
  std::string signal;            // empty: the container's own, else SIGTERM
};

// Lifetime: open() before use, stop() before destruction; outlives every Container's use of it.
// Thread:   any. What changes one container is serialised by that container's own lock.
// Cancel:   create, start, stop, restart and remove must run to their end: call them where the token is not cancelled
//           by a client's leaving.
// Errors:   Docker's classes and words; after any error the record, the files and the processes agree.
class ContainerManager {
 public:
  ContainerManager(task::Worker& worker, ContainerManagerOptions options, ImageStore& images, VolumeManager& volumes,
                   ContainerStore& store, NetworkManager& networks, EventBus& events);
  ~ContainerManager();

  // Takes up what an earlier daemon has left: running containers are watched on, ended ones marked, half-made ones
  // cleaned up.
  task::Task<void> open();
  // Starts, in the background, what the restart policies say shall run. Call when all that containers need is there.
  void restart_containers();
  // Ends what only waits for containers on behalf of clients, followers and waits, which would hold a stop up.
  void release_clients();
  // Stops watching; with `stop_containers` stops them first. The containers' records are kept.
  task::Task<void> stop(bool stop_containers);

  // Errors: kNotFound for the image alone, also where it is not of `platform`: clients answer that with a pull.
  task::Task<CreatedContainer> create(std::string name, ContainerConfig config,
                                      std::optional<Platform> platform = std::nullopt);
  task::Task<void> start(std::shared_ptr<Container> container);
  task::Task<void> stop(std::shared_ptr<Container> container, StopRequest request);
  task::Task<void> restart(std::shared_ptr<Container> container, StopRequest request);
  task::Task<void> remove(std::shared_ptr<Container> container, RemoveRequest request);
  // One that ends the container (SIGKILL, or its stop signal) counts as a stop by its user.
  task::Task<void> kill(std::shared_ptr<Container> container, std::string signal);
  task::Task<void> pause(std::shared_ptr<Container> container);
  task::Task<void> unpause(std::shared_ptr<Container> container);
  task::Task<void> rename(std::shared_ptr<Container> container, std::string name);
  // Warnings for the client.
  task::Task<std::vector<std::string>> update(std::shared_ptr<Container> container, ContainerUpdate change);
  // A build's container stays, as one that a client has made.
  task::Task<void> keep_build_step(std::shared_ptr<Container> container);
  // Removes all that are not running and that `wanted` lets through. One prune at a time.
  task::Task<PrunedContainers> prune(std::function<bool(const ContainerSnapshot&)> wanted);

  // Called with the id of each container that is removed, on the task that removes it; may not block.
  // REQUIRES: nothing runs yet, or nothing any more.
  void set_on_removed(std::function<void(const std::string& id)> on_removed) { on_removed_ = std::move(on_removed); }

  // The container's files, in its own namespace or in one made for the purpose. Waits for a start, stop or removal
  // that goes on. Errors: kConflict where it is being removed.
  task::Task<FileAccess> open_files(std::shared_ptr<Container> container, FilesView view);
  // An image of what the container has changed. Cancel: nothing of it remains, and the container goes on.
  // Errors: as create_image() and committed_settings().
  task::Task<Image> commit(std::shared_ptr<Container> container, CommitRequest request);
  // The lower layers of its root, the topmost first. Thread: any; blocks on the disk.
  std::vector<std::filesystem::path> layers_of(const Container& container) const;

  // A container joins or leaves a network, now if it runs, and for its later runs.
  task::Task<void> connect(std::shared_ptr<Container> container, std::string network, EndpointConfig config);
  task::Task<void> disconnect(std::shared_ptr<Container> container, std::string network, bool force);

  // Tells those who follow events what happened to `container`; for what other managers do to it (exec, archive), too.
  void publish(const Container& container, std::string action, EventAttributes more = {}) const;

  // By id, unique prefix of an id, or name.
  std::shared_ptr<Container> find(std::string_view reference) const;
  std::vector<ContainerSnapshot> list() const;  // newest first
  // Grows with every change that list() shows.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  // All containers as users of their images, for the removal of one.
  std::vector<ImageUser> image_users() const;

  const RuntimePrograms& programs() const { return options_.programs; }

  // Framed unless the container has a terminal; `raw`: never.
  //
  // REQUIRES: container.log() is not null.
  std::unique_ptr<LogFollower> logs(const Container& container, const LogFilter& filter, bool follow, bool raw = false);

 private:
  struct Bundle;

  ContainerPaths paths_of(const std::string& id, const HostConfig& host) const;
  Image commit_changes(const Container& container, const CommitRequest& request, const std::stop_token& stop) const;
  task::Task<void> keep_image(std::shared_ptr<Container> container);
  task::Task<void> resume_if_paused(std::shared_ptr<Container> container);
  std::string init_layer() const { return options_.root + "/init"; }
  task::Task<void> start_locked(std::shared_ptr<Container> container);
  task::Task<void> stop_locked(std::shared_ptr<Container> container, StopRequest request);
  task::Task<bool> ends_after_signal(std::shared_ptr<Container> container, int number,
                                     std::optional<std::chrono::seconds> grace);
  // REQUIRES: the lifecycle lock, and a container that may start.
  task::Task<void> begin_run(std::shared_ptr<Container> container);
  // A container that a new one's settings name. Errors: kInvalidArgument, with `what` before the words of find().
  std::shared_ptr<Container> find_named(std::string_view reference, const std::string& what = "") const;
  // "container:NAME" modes with the id in place of the name, which may change. Errors: kInvalidArgument.
  void resolve_joins(HostConfig& host) const;
  // Errors: kConflict where one of them does not run, or does not share.
  JoinedContainers joined_by(const Container& container) const;
  void restart_later(std::shared_ptr<Container> container, std::chrono::milliseconds delay);
  task::Task<void> restart_after(std::shared_ptr<Container> container, std::chrono::milliseconds delay);
  task::Task<void> cancel_restart(std::shared_ptr<Container> container);
  task::Task<void> mark_stopped_by_user(std::shared_ptr<Container> container);
  task::Task<void> start_with_daemon(std::shared_ptr<Container> container);
  task::Task<void> resume(std::shared_ptr<Container> container);
  // container_network.cpp
  void resolve_network(ContainerConfig& config) const;
  task::Task<BundleNetwork> lease_network(std::shared_ptr<Container> container);
  task::Task<void> plug_network(std::shared_ptr<Container> container, int init_pid);
  void release_network(const std::shared_ptr<Container>& container);
  bool is_namespace_shared(const std::string& id) const;
  task::Task<void> change_network(std::shared_ptr<Container> container, ContainerNetwork network);
  BundleNetwork network_of_other(const std::string& id) const;
  NetworkFileFacts network_file_facts(const Container& container, const ContainerNetwork& network) const;
  void tell_linked(const Container& started) const;
  void publish_network(const Container& container, const ContainerNetwork& network, const char* action) const;

  task::Task<void> undo_start(std::shared_ptr<Container> container, Error failure);
  task::Task<void> remove_files(std::shared_ptr<Container> container);
  void watch(std::shared_ptr<Container> container, UniqueFd monitor);
  task::Task<void> watch_exit(std::shared_ptr<Container> container, UniqueFd monitor);
  task::Task<void> watch_health(std::shared_ptr<Container> container);
  task::Task<void> finish_run(std::shared_ptr<Container> container);
  task::Task<void> remove_when_exited(std::shared_ptr<Container> container);
  task::Task<void> take_up(std::shared_ptr<Container> container);
  task::Task<bool> take_up_running(std::shared_ptr<Container> container);
  task::Task<void> end_torn_record(std::shared_ptr<Container> container);
  task::Task<void> save_record(ContainerRecord record);
  task::Task<void> save_state(std::shared_ptr<Container> container);
  // REQUIRES: both are called from the blocking pool.
  UniqueFd image_root(const ContainerPaths& paths, const std::string& image_id) const;  // of a new container
  void hold_volumes(ContainerConfig& config, const std::string& id, const ContainerPaths& paths,
                    const std::string& image_id);
  void tell_volumes(const Container& container, bool mounted) const;
  // For steps that must not keep the rest from being done: false where `step` failed, which is logged.
  task::Task<bool> succeeds(std::string id, task::Task<void> step);
  void forget(const Container& container);
  void send_signal(Container& container, int number);
  void changed() { generation_.fetch_add(1, std::memory_order_acq_rel); }

  // Constant after construction.
  task::Worker& worker_;
  const ContainerManagerOptions options_;
  ImageStore& images_;
  VolumeManager& volumes_;
  ContainerStore& store_;
  NetworkManager& networks_;
  EventBus& events_;
  std::function<void(const std::string& id)> on_removed_;

  std::atomic<std::uint64_t> generation_{1};
  std::atomic<bool> stopping_{false};  // the daemon ends: nothing is started again
  std::atomic<bool> pruning_{false};
  LogWatcher log_watcher_;
  SeccompFilters seccomp_filters_;

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Container>> containers_;  // guarded by mutex_; by id
  NameIndex names_;                                               // guarded by mutex_

  task::Scope scope_;
};

// The container as networks know it.
NetworkMember member_of(const Container& container);

}  // namespace quoll::mgr
