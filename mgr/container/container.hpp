// One container: its record, what is known of its processes, and those who wait for it.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mgr/container/container_config.hpp"
#include "mgr/container/container_health.hpp"
#include "mgr/container/container_state.hpp"
#include "mgr/log/log_hub.hpp"
#include "task/channel.hpp"
#include "task/event.hpp"
#include "task/mutex.hpp"
#include "task/task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

enum class WaitCondition { kNotRunning, kNextExit, kRemoved };

struct WaitResult {
  int exit_code = 0;
  std::string error;  // of the container's state: why it did not start, or how it was lost; empty of removals
};

// A copy of what is known of a container at one moment.
struct ContainerSnapshot {
  std::string id;
  std::string name;  // without slash
  std::int64_t created_ns = 0;
  std::string image_id;
  std::shared_ptr<const ContainerConfig> config;
  ContainerState state;
  std::string log_path;                  // empty where output is not kept
  std::shared_ptr<const Health> health;  // null: it has no health check, or has not been started since the daemon was
};

// Where a container's files are.
struct ContainerPaths {
  std::string directory;  // kept: upper, work, logs, hostname, hosts, resolv.conf
  std::string bundle;     // of this boot: config.json, overlay, rootfs, the monitor's files
  std::string cgroup;     // below the root of each hierarchy
  std::string log_directory() const { return directory + "/logs"; }
  std::string log_file() const { return directory + "/logs/log"; }
};

// Lifetime: shared by the manager's index and by requests that work on it; outlives its removal.
// Thread:   any.
class Container {
 public:
  Container(std::string id, std::string name, std::int64_t created_ns, std::string image_id, ContainerConfig config,
            ContainerState state, ContainerPaths paths);

  const std::string& id() const { return id_; }
  // As it is now: an update() replaces it.
  std::shared_ptr<const ContainerConfig> config() const;
  const ContainerPaths& paths() const { return paths_; }
  const std::string& image_id() const { return image_id_; }
  // Null for the log driver `none`.
  const std::shared_ptr<LogHub>& log() const { return log_; }

  ContainerSnapshot snapshot() const;
  std::string name() const;
  void rename(std::string name);
  // REQUIRES: the lifecycle lock.
  void set_config(ContainerConfig config);
  ContainerState state() const;
  // Changes the state under the lock and returns it.
  template <typename F>
  ContainerState update_state(F change) {
    std::lock_guard lock(mutex_);
    change(state_);
    return state_;
  }

  // What starts, stops and removes takes this, so that no two of them overlap.
  task::MutexWait lock_lifecycle() { return lifecycle_.lock(); }

  // Set while nothing of the last run is left: neither process nor cgroup nor mount.
  task::Event& cleaned_up() { return cleaned_up_; }

  // Null where there is no health check.
  std::shared_ptr<const Health> health() const;
  void set_health(Health health);
  // Set while it does not run.
  task::Event& run_ended() { return run_ended_; }
  // Set to end the wait before an automatic restart.
  task::Event& restart_cancelled() { return restart_cancelled_; }

  // The init process's descriptor, for signals; empty while not running.
  void set_init_process(UniqueFd process);
  // A descriptor of one's own; empty while not running.
  UniqueFd init_process() const;
  // Errors: kConflict in Docker's words where it does not run.
  void signal(int number);

  // A registered wait: made before the answer's headers go out, so that nothing that happens after is missed.
  class Waiter {
   public:
    // The result, at once where it is there already.
    task::Task<WaitResult> result();

   private:
    friend class Container;
    std::optional<WaitResult> known_;
    task::Receiver<WaitResult> receiver_;
  };
  Waiter wait(WaitCondition condition);

  // A place among those attached: of the present run, or of the next one from its very beginning.
  class PendingAttach {
   public:
    // The connection to the monitor; empty where no run came before the container's removal or the daemon's stop.
    task::Task<UniqueFd> socket();

   private:
    friend class Container;
    UniqueFd socket_;
    task::Receiver<UniqueFd> receiver_;
  };
  // `flags`: of monitor/attach_protocol.hpp. Errors: of system_error() where the monitor cannot be reached.
  PendingAttach attach(std::uint8_t flags);
  // Between the monitor's start and the program's: connects those who wait.
  void open_streams();
  void close_streams();

  void tell_exited(int exit_code);
  // Ends all waits without a result: the daemon stops watching.
  void drop_waiters();
  void tell_removed();
  bool removed() const;

 private:
  struct AttachWaiter {
    task::Sender<UniqueFd> sender;
    std::uint8_t flags;
  };

  // Constant after construction.
  const std::string id_;
  const std::int64_t created_ns_;
  const std::string image_id_;
  const ContainerPaths paths_;
  const std::shared_ptr<LogHub> log_;

  task::Mutex lifecycle_;
  task::Event cleaned_up_;

  task::Event restart_cancelled_;
  task::Event run_ended_;

  mutable std::mutex mutex_;
  std::string name_;                                       // guarded by mutex_
  std::shared_ptr<const ContainerConfig> config_;          // guarded by mutex_; never null
  ContainerState state_;                                   // guarded by mutex_
  std::shared_ptr<const Health> health_;                   // guarded by mutex_; may be null
  UniqueFd init_process_;                                  // guarded by mutex_
  std::vector<task::Sender<WaitResult>> exit_waiters_;     // guarded by mutex_
  std::vector<task::Sender<WaitResult>> removal_waiters_;  // guarded by mutex_
  std::vector<AttachWaiter> attach_waiters_;               // guarded by mutex_
  bool streams_open_ = false;                              // guarded by mutex_; the monitor takes connections
  bool removed_ = false;                                   // guarded by mutex_
};

}  // namespace quoll::mgr
