// The threads of this process, as the kernel lists them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace quoll::debug {

struct Thread {
  pid_t id = 0;
  std::string name;
  bool is_main = false;
};

// Threads that come or go meanwhile may be missing.
std::vector<pid_t> list_thread_ids();
std::vector<Thread> list_threads();
std::string thread_name(pid_t id);

}  // namespace quoll::debug
