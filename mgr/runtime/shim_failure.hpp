// How the steps of quoll-runtime end where they cannot go on: in words, and with the program.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace quoll::mgr {

inline constexpr int kStepFailed = 125;

[[noreturn]] inline void fail(const std::string& what, int exit_status = kStepFailed) {
  std::fprintf(stderr, "quoll-runtime: %s\n", what.c_str());
  std::exit(exit_status);
}

[[noreturn]] inline void fail_errno(const std::string& what, int error = errno) {
  fail(what + ": " + std::strerror(error));
}

}  // namespace quoll::mgr
