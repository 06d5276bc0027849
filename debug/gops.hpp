// GopsAgent: lets google/gops' client find this process and ask it for stacks, numbers and profiles.
//
// A client reads the port from the file DIRECTORY/PID, connects to 127.0.0.1, sends one byte that names a command, and
// reads the answer until the connection ends (the protocol of gops 0.3). Nobody is asked who they are: every user of
// this host can read stacks and stop nothing, so a program runs an agent only when it is told to.
#pragma once

#include <cstdint>
#include <filesystem>

#include "task/runtime.hpp"
#include "task/scope.hpp"
#include "task/task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::debug {

// Where clients look: $GOPS_CONFIG_DIR, else $XDG_CONFIG_HOME/gops, else ~/.config/gops of this user.
// Errors: Error{kNotFound} where none of them is set and the user has no home.
std::filesystem::path gops_directory();

// Lifetime: stop() is awaited before its destructor. `runtime` and `worker`, which the agent runs on, outlive it.
// Thread:   made and stopped on any.
// Cancel:   a client that leaves ends what it asked for, a profile of 30 seconds too.
// Errors:   the constructor's: Error where the file cannot be written or no port can be had.
// Limits:   kClientsMax at once, more are closed; a command must come within kCommandTimeMax.
class GopsAgent {
 public:
  static constexpr std::size_t kClientsMax = 16;
  static constexpr std::chrono::seconds kCommandTimeMax{10};

  GopsAgent(task::Runtime& runtime, task::Worker& worker, const std::filesystem::path& directory);
  ~GopsAgent();
  GopsAgent(const GopsAgent&) = delete;
  GopsAgent& operator=(const GopsAgent&) = delete;

  std::uint16_t port() const { return port_; }
  // Removes the file and ends what clients have asked for.
  task::Task<void> stop();

 private:
  task::Task<void> accept_loop(UniqueFd listener);
  static task::Task<void> serve_client(task::Runtime& runtime, UniqueFd connection);

  task::Runtime& runtime_;
  std::uint16_t port_ = 0;
  std::filesystem::path port_file_;
  task::Scope clients_;
  task::Scope accepting_;
};

}  // namespace quoll::debug
