// The client's side of an attach: a hijacked connection, as it is or as a WebSocket.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "http/hijack.hpp"
#include "task/task.hpp"

namespace quoll::api {

// Thread: the connection's worker; one reader and one writer at a time.
class ClientStream {
 public:
  virtual ~ClientStream() = default;
  // At least one byte, or 0 once the client has stopped sending.
  virtual task::Task<std::size_t> read_some(std::span<char> buffer) = 0;
  virtual task::Task<void> write(std::string_view bytes) = 0;
};

class RawClientStream final : public ClientStream {
 public:
  explicit RawClientStream(http::HijackedStream stream) : stream_(stream) {}
  task::Task<std::size_t> read_some(std::span<char> buffer) override { return stream_.read_some(buffer); }
  task::Task<void> write(std::string_view bytes) override { return stream_.write(bytes); }

 private:
  http::HijackedStream stream_;
};

}  // namespace quoll::api
