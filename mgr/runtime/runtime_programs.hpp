// The outside programs that containers need, and where this host has them.
#pragma once

#include <string>
#include <vector>

namespace quoll::mgr {

// Where the programs are; constant for the daemon's life.
struct RuntimePrograms {
  std::string monitor;          // quoll-monitor
  std::string shim;             // quoll-runtime, which mounts the root filesystem (runtime/shim_main.cpp)
  std::string runtime;          // crun or runc, absolute
  std::string state_directory;  // the runtime's --root, on a file system that a reboot clears
  bool is_crun = false;         // whatever name it was given by
};

// Picks the runtime: `wanted` (a name or a path) where it is given, else crun, else runc.
//
// Errors: kFailedPrecondition naming the program that is missing.
RuntimePrograms find_runtime_programs(const std::string& wanted, std::string state_directory);

// What they are started with: their own environment is not the daemon's.
const std::vector<std::string>& program_environment();

}  // namespace quoll::mgr
