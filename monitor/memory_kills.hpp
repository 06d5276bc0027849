// Whether the kernel has killed a process of a container for want of memory.
#pragma once

#include <sys/types.h>

#include <string>

namespace quoll::monitor {

// The file of `pid`'s memory cgroup that counts such kills, on cgroup v1 or v2; empty where there is none.
std::string memory_kills_file(pid_t pid);

// The count in it; 0 where it cannot be read.
long memory_kills(const std::string& file);

// The path of the cgroup that holds the memory controller, in the text of /proc/PID/cgroup, below the mount point that
// `mount` is set to.
std::string memory_cgroup(const std::string& text, std::string& mount);

}  // namespace quoll::monitor
