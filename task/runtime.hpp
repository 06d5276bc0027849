// Runtime: the workers and the blocking pool of one process (or of one test).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "task/blocking.hpp"
#include "task/clock.hpp"
#include "task/worker.hpp"

namespace quoll::task {

// Ids are unique in the process, dense enough to read, and never 0.
std::uint64_t next_task_id();

// Thread: any, but for add_worker(), which comes before start().
// Lifetime: outlives every scope whose tasks run on its workers.
// Signals:  makes the process ignore SIGPIPE where it had the default action.
class Runtime {
 public:
  static constexpr std::size_t kPeerThreadsMax = 256;

  explicit Runtime(Clock& clock = Clock::system(), std::size_t blocking_threads_max = 16);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Calls visit(runtime) for each one that there is in the process; none is destroyed meanwhile. Any thread.
  static void for_each(const std::function<void(Runtime&)>& visit);

  Worker& add_worker(std::string name);
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  Worker& worker(std::size_t index) { return *workers_.at(index); }
  std::size_t task_count() const;
  BlockingPool& blocking_pool() { return blocking_pool_; }
  // For jobs that wait for a peer; see blocking_at_peers_pace().
  BlockingPool& peer_pool() { return peer_pool_; }
  Clock& clock() { return clock_; }

  void start();  // a thread for each worker
  // Ends the threads. REQUIRES: all scopes are joined.
  void stop();

 private:
  Clock& clock_;
  std::vector<std::unique_ptr<Worker>> workers_;
  BlockingPool blocking_pool_;
  BlockingPool peer_pool_{kPeerThreadsMax};
  std::vector<std::thread> threads_;
};

}  // namespace quoll::task
