// CommandFailure: ends quoll with a message and an exit code of its own.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace quoll::cli {

// Docker's exit codes of `run` for what is not the container's own end.
inline constexpr int kExitDaemonFailed = 125;
inline constexpr int kExitCannotRun = 126;
inline constexpr int kExitNotFound = 127;

class CommandFailure : public std::exception {
 public:
  CommandFailure(int exit_code, std::string message) : exit_code_(exit_code), message_(std::move(message)) {}
  int exit_code() const { return exit_code_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  int exit_code_;
  std::string message_;
};

}  // namespace quoll::cli
