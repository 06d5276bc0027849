// A process of the host that is known by its number, which may belong to another one by now.
#pragma once

#include <cstdint>
#include <string>

#include "task/unique_fd.hpp"

namespace quoll::mgr {

// The number in a file that the monitor or the runtime writes; 0 where it is not there or has none in it.
int read_pid_file(const std::string& path);

// Field 22 of /proc/PID/stat; 0 where there is no such process.
std::uint64_t process_start_time(int pid);

// A descriptor of the process, if it still is the one that started then. Errors: none; an empty descriptor.
UniqueFd open_process(int pid, std::uint64_t start_time);

}  // namespace quoll::mgr
