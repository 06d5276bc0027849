// HijackedStream: the raw two-way stream that a connection becomes after Response::hijack().
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "task/task.hpp"

namespace quoll::http {

class Connection;

// Lifetime: valid until the handler that hijacked has returned; the connection is closed then.
// Thread:   the connection's worker. One reader and one writer at a time; they may be two tasks.
// Cancel:   the client's full close (RST, close of a UNIX socket, failed write, dead keep-alive) cancels the request's
//           token; a half close does not, it is the end of input.
class HijackedStream {
 public:
  explicit HijackedStream(Connection& connection) : connection_(&connection) {}

  // At least one byte, what the client sent behind its request first; 0 once it has closed its sending side.
  task::Task<std::size_t> read_some(std::span<char> buffer);
  // All of it, waiting where the client does not read.
  task::Task<void> write(std::string_view bytes);
  task::Task<void> write(std::span<const std::string_view> buffers);
  // Tells the client that nothing more will come; reading goes on.
  void shutdown_write();

 private:
  Connection* connection_;
};

}  // namespace quoll::http
