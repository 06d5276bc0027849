// The execs of all containers.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/exec/exec.hpp"
#include "task/channel.hpp"
#include "task/scope.hpp"

namespace quoll::mgr {

class ContainerManager;

// An exec is a process with a monitor of its own, which holds its streams: who leaves it does not end it, and neither
// does the daemon. Records are of this daemon's life only, as Docker's are.
//
// Lifetime: below the container manager; stop() before destruction.
// Thread:   any.
// Cancel:   create() does nothing half; a start() whose client leaves goes on.
// Errors:   Docker's classes and words.
// Limits:   records of what has ended are kept for kKeptAfterEnd, or until there are more than kEndedMax, or until
//           the container is removed.
class ExecManager {
 public:
  static constexpr std::size_t kEndedMax = 1000;
  static constexpr std::chrono::minutes kKeptAfterEnd{5};

  ExecManager(task::Worker& worker, ContainerManager& containers);
  ~ExecManager();

  // Errors: kConflict where the container does not run or is paused.
  std::shared_ptr<Exec> create(std::shared_ptr<Container> container, ExecConfig config);
  // By id or by the beginning of one. Errors: kNotFound.
  std::shared_ptr<Exec> find(std::string_view id) const;

  // Whether it may be started, and marks it as started.
  // Errors: kConflict, Docker's words.
  void claim(Exec& exec);
  // Runs it, with a client attached where `attach_flags` (monitor/attach_protocol.hpp) is not 0; returns that client's
  // end once the process is there.
  // REQUIRES: claim().
  // Errors: kInvalidArgument in the runtime's words; the exec has its exit code (126, 127, ...) then.
  task::Task<UniqueFd> start(std::shared_ptr<Exec> exec, std::uint8_t attach_flags);
  // Errors: kConflict where it does not run.
  void resize(Exec& exec, unsigned rows, unsigned columns);
  void publish(const Exec& exec, std::string_view action, std::string detail = "") const;

  // Of those that have not ended; as inspect's ExecIDs has them.
  std::vector<std::string> ids_of(const std::string& container_id) const;

  // Stops watching; the processes go on.
  task::Task<void> stop();

 private:
  struct Started {
    std::string error;  // empty: it runs
  };

  task::Task<void> run(std::shared_ptr<Exec> exec, UniqueFd client, task::Sender<Started> started);
  task::Task<void> run_monitor(std::shared_ptr<Exec> exec, UniqueFd client, task::Sender<Started>& started);
  void note_end(Exec& exec, int exit_code);
  void forget_old();
  void forget_all_of(const std::string& container_id);

  // Constant after construction.
  task::Worker& worker_;
  ContainerManager& containers_;

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Exec>, std::less<>> execs_;  // guarded by mutex_
  std::map<std::string, int> monitors_;  // guarded by mutex_; the sockets of those that run, borrowed from run()

  task::Scope scope_;
};

}  // namespace quoll::mgr
