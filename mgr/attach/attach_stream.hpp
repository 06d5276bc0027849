// A client's end of the standard streams of a container or an exec, and all that are open.
#pragma once

#include <cstddef>
#include <mutex>
#include <set>
#include <span>

#include "task/fd.hpp"
#include "task/task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

// Lifetime: outlives its streams.
// Thread:   any.
class AttachRegistry {
 public:
  // The daemon stops: all streams end now, and later ones at once.
  void release();

 private:
  friend class AttachStream;
  void add(int socket);
  void remove(int socket);

  std::mutex mutex_;
  std::set<int> sockets_;  // guarded by mutex_
  bool released_ = false;  // guarded by mutex_
};

// Lifetime: a local of the request's handler.
// Thread:   the worker it was made on; one reader and one writer at a time.
// Cancel:   leaves the process as it is; only its standard input is closed where the stream was made so.
class AttachStream {
 public:
  AttachStream(UniqueFd socket, AttachRegistry& registry);
  ~AttachStream();
  AttachStream(const AttachStream&) = delete;
  AttachStream& operator=(const AttachStream&) = delete;

  // What the process writes, in the frames that were asked for; 0 at its end, also where the connection broke.
  task::Task<std::size_t> read_some(std::span<char> buffer);
  // False where the process takes no more.
  task::Task<bool> write_all(std::span<const char> bytes);
  // Nothing more will be written.
  void end_input();
  // Ends both ways: a read that waits gives 0.
  void end();

 private:
  AttachRegistry& registry_;
  task::AsyncFd socket_;
};

}  // namespace quoll::mgr
