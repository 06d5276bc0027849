// Waiting for descriptors that are not sockets: pidfds, pipes, inotify, signalfd.
#pragma once

#include <memory>
#include <span>

#include "task/task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::task {

// Thread: the worker it was made on.
// Lifetime: owns the descriptor, which it makes non-blocking (with all who share its open file).
// Cancel:   what was read is never lost; write_all() may have written a part.
// Errors:   Error of system_error(); writing where nobody reads is EPIPE (a Runtime ignores SIGPIPE).
class AsyncFd {
 public:
  // REQUIRES: called from a task, or from a worker's thread.
  explicit AsyncFd(UniqueFd fd);
  ~AsyncFd();
  AsyncFd(AsyncFd&&) noexcept;
  AsyncFd& operator=(AsyncFd&&) noexcept;

  int get() const;
  // Either may return although nothing is there: look again before believing it.
  Task<void> readable();
  Task<void> writable();
  // At least one byte, or 0 at the end.
  Task<std::size_t> read_some(std::span<char> buffer);
  Task<void> write_all(std::span<const char> bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quoll::task
