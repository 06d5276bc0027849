// For this folder's tests: a server on threads of its own, and blocking sockets that play the client.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/server.hpp"
#include "task/runtime.hpp"
#include "task/unique_fd.hpp"

namespace quoll::http {

enum class Transport { kTcp, kUnix };

// The body as a blocking function reads it, in pieces of up to so many bytes.
task::Task<std::string> read_lent(Request& request, std::size_t limit, std::size_t piece_bytes = 1000);

// Waits until `condition` holds; false after 10 s. For what another thread is about to do.
bool eventually(const std::function<bool()>& condition);
std::size_t open_descriptors();

// A blocking socket. Reads end after 10 s, so that a broken test fails rather than hangs.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  explicit RawClient(const std::string& path);
  explicit RawClient(UniqueFd connected) : fd_(std::move(connected)) {}

  int fd() const { return fd_.get(); }
  void send(std::string_view bytes);
  // Sends as much as the peer takes within its buffers; returns how much.
  std::size_t send_until_full(std::size_t bytes_max);
  // Until `end` has been received; what is behind it stays for the next call.
  std::string read_until(std::string_view end);
  std::string read_exactly(std::size_t count);
  std::string read_to_end();  // the peer's close or reset
  // One answer with a Content-Length or a chunked body: its head, and its body decoded.
  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
    std::string header(std::string_view name) const;
  };
  Answer read_answer(bool head_only = false);
  Answer get(std::string_view target);
  bool at_end();  // true where nothing is buffered and the peer has closed

  void shutdown_write();
  void close();  // FIN; on a UNIX socket a full close
  void reset();  // RST on TCP

 private:
  bool receive();
  UniqueFd fd_;
  std::string received_;
};

// A temporary directory, for sockets.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A server with two workers on threads. Its destructor stops it, and fails the test where a task or a connection is
// left.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, std::chrono::milliseconds grace = std::chrono::milliseconds(0),
                      task::Clock* clock = nullptr);
  ~TestServer();

  void route(std::string method, std::string pattern, Handler handler,
             CancelPolicy policy = CancelPolicy::kCancelOnDisconnect);
  void start();  // after the routes
  void stop();   // what the destructor does

  RawClient connect(Transport transport) {
    return transport == Transport::kTcp ? RawClient(port_) : RawClient(socket_path());
  }
  std::uint16_t port() const { return port_; }
  std::string socket_path() const { return directory_.path() + "/s"; }
  Server& server() { return *server_; }
  task::Runtime& runtime() { return runtime_; }
  // Runs `work` on a worker, and waits for it.
  void run(task::Task<void> work);

  // Returns when each worker has done what it was doing: whoever had sent an answer by then waits for the next request.
  void settle();

  static constexpr std::size_t kIdleTasks = 2;  // the accept loops

 private:
  TemporaryDirectory directory_;
  task::Runtime runtime_;
  Router router_;
  ServerOptions options_;
  std::chrono::milliseconds grace_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

}  // namespace quoll::http
