// What can be seen of a daemon from outside: its tasks over HTTP, its descriptors and its memory in /proc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/client.hpp"

namespace bench {

class DaemonView {
 public:
  // Reads --pids A,B (the first is the daemon that serves), and --debug-target with --debug-prefix, below which
  // goroutine?debug=1 and goroutine?debug=2 are; without a target no tasks are counted.
  explicit DaemonView(const Arguments& arguments);

  struct Count {
    std::int64_t tasks = 0;
    std::int64_t descriptors = 0;
  };
  Count count();
  std::int64_t resident_kb() const;

  // Looks until nothing changes for a while.
  Count settled();
  // Looks again and again; the milliseconds until no more than `before` is there, or -1 when `timeout_ms` are over.
  double wait_until_gone(const Count& before, std::int64_t since_ns, std::int64_t timeout_ms);

  // The whole debug=2 text.
  std::string dump();
  bool has_tasks() const { return client_ != nullptr; }

 private:
  std::vector<std::string> pids_;
  std::string prefix_;
  std::unique_ptr<Client> client_;
};

}  // namespace bench
