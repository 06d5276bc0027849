// Sees by inotify which log directories have changed, and tells their hubs. One descriptor and one task for all.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "mgr/log/log_hub.hpp"
#include "task/fd.hpp"
#include "task/scope.hpp"
#include "task/worker.hpp"

namespace quoll::mgr {

// Lifetime: start() before use and stop() before it is destroyed; outlives the followers that it was given to.
// Thread:   add() and remove() from any.
// Errors:   add() throws kResourceExhausted where the kernel allows no more watches.
class LogWatcher {
 public:
  LogWatcher();
  ~LogWatcher();

  // The watching task lives on `worker`.
  void start(task::Worker& worker);

  // Watches a hub's directory; each add() wants one remove().
  void add(const std::shared_ptr<LogHub>& hub);
  void remove(const std::shared_ptr<LogHub>& hub);

  task::Task<void> stop();

 private:
  struct Watch {
    std::shared_ptr<LogHub> hub;
    std::size_t users = 0;
  };

  task::Task<void> watch_logs(UniqueFd inotify);
  std::shared_ptr<LogHub> hub_of(int descriptor);
  void tell_all();

  int inotify_ = -1;  // owned by the task; -1 once that has ended

  std::mutex mutex_;
  std::unordered_map<int, Watch> watches_;                    // guarded by mutex_; by watch descriptor
  std::unordered_map<const LogHub*, int> descriptor_by_hub_;  // guarded by mutex_

  task::Scope scope_;
};

}  // namespace quoll::mgr
