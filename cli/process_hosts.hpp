// Where a running process can be asked about its tasks: the sockets that it listens on, from /proc.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "task/task.hpp"

namespace quoll::cli {

// "unix://PATH" and "tcp://ADDRESS:PORT" of all its listeners, those first that are called after debugging. A path
// that the process has in another mount namespace goes through /proc/PID/root.
// Errors: Error{kNotFound} where there is no such process or it listens on nothing that can be reached from here;
//         Error{kPermissionDenied} where its descriptors must not be looked at.
std::vector<std::string> listeners_of(pid_t pid);

// The first listener that serves /debug.
// Errors: those of listeners_of(); Error{kNotFound} where none does, naming all.
task::Task<std::string> find_debug_host(pid_t pid);

}  // namespace quoll::cli
