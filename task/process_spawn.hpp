// The system call side of starting a process.
#pragma once

#include <sys/types.h>

#include "task/process.hpp"

namespace quoll::task {

// Starts the program and returns its pid. Errors: name the program.
pid_t spawn_process(const ProcessOptions& options);

}  // namespace quoll::task
