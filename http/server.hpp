// Server: listens, accepts, and serves each connection in a task of its own.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "http/descriptor_reserve.hpp"
#include "http/router.hpp"
#include "task/runtime.hpp"
#include "task/scope.hpp"
#include "task/unique_fd.hpp"

namespace quoll::http {

struct Home;  // a worker and the connections that live on it

// The name of a connection's task.
inline constexpr std::string_view kConnectionTask = "http.connection";

struct ErrorReply {
  int status = 500;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

// Renders what a handler threw before it answered, and the 404 (an Error{kNotFound, "page not found"}) where no route
// matches. What breaks HTTP itself is answered in plain text without it.
using ErrorRenderer = std::function<ErrorReply(const Request&, const std::exception_ptr&)>;
// Told of everything that a handler throws but Cancelled; for logs.
using ErrorHook = std::function<void(const Request&, const std::exception_ptr&, bool headers_sent)>;

// Zero turns a time limit off.
struct ServerOptions {
  std::size_t header_bytes_max = 16 * 1024;          // request line and headers; more is 431
  std::size_t read_ahead_bytes_max = 64 * 1024;      // buffered for a handler that does not read
  std::size_t drain_bytes_max = 64 * 1024;           // of an unread body, to keep the connection; more closes it
  std::size_t connections_max = 16 * 1024;           // more are answered 503 and closed
  std::chrono::milliseconds idle_timeout{180'000};   // between requests
  std::chrono::milliseconds header_timeout{20'000};  // from a head's first byte to its last; 408
  std::chrono::milliseconds write_timeout{60'000};   // a whole answer's client takes nothing
  std::chrono::milliseconds stream_write_timeout{6 * 3600'000};  // a stream's or hijack's client takes nothing
  std::chrono::milliseconds gone_poll_interval{200};             // where the read-ahead is full

  // Kept back for accepting when the process is out of descriptors. Only for a server on one worker.
  std::size_t descriptor_reserve = 0;

  std::string static_headers;  // whole lines, "Server: quoll\r\n", sent in every answer
  ErrorRenderer render_error;
  ErrorHook on_error;

  // On TCP: refuse what a foreign web page sends. The Host must be localhost, an IP address or in allowed_hosts, and an
  // Origin must be the Host's own or in allowed_origins; 403 otherwise.
  bool guard_origin = false;
  std::vector<std::string> allowed_hosts;    // without port
  std::vector<std::string> allowed_origins;  // "https://ui.example:8443"
};

// Lifetime: router and runtime outlive it; stop() is awaited before its destructor.
// Thread:   listen_*, adopt and connection_count from any; stop() from one task.
class Server {
 public:
  // Connections are dealt out to `workers` in turn; accepting runs on the first one.
  Server(std::vector<task::Worker*> workers, const Router& router, ServerOptions options = {});
  Server(task::Runtime& runtime, const Router& router, ServerOptions options = {});  // all of its workers
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Port 0 takes a free one; returns the port bound. `host` is an IP address or "localhost".
  std::uint16_t listen_tcp(const std::string& host, std::uint16_t port);
  // Replaces a socket file that nobody listens on. The file is removed by stop().
  // Errors: Error{kAlreadyExists} where somebody does.
  void listen_unix(const std::string& path, mode_t mode = 0660, std::optional<gid_t> group = {});
  // Takes over a socket that listens (socket activation).
  void adopt(UniqueFd listener);
  // Takes over one connected stream socket, as if it had been accepted.
  void adopt_connection(UniqueFd connection);

  // Accepts no more, closes idle connections, lets requests end within `grace`, then cancels them with kShutdown; all
  // have ended when it returns. May be called again.
  task::Task<void> stop(std::chrono::nanoseconds grace);

  std::size_t connection_count() const { return connection_count_.load(std::memory_order_relaxed); }

 private:
  friend class Connection;
  friend class Exchange;
  struct Listener;

  void start_listening(UniqueFd listener, std::string unix_path);
  task::Task<void> accept_loop(Listener& listener);
  void start_connection(UniqueFd connection, std::source_location at = std::source_location::current());
  task::Task<void> cancel_after(std::chrono::nanoseconds grace);

  // Constant after construction.
  const Router& router_;
  const ServerOptions options_;
  std::vector<std::shared_ptr<Home>> homes_;

  std::unique_ptr<DescriptorReserve> reserve_;  // null: none; the first home's worker
  std::atomic<std::size_t> next_home_{0};
  std::atomic<std::size_t> connection_count_{0};
  std::atomic<std::uint64_t> next_request_id_{1};
  std::atomic<bool> stopping_{false};

  std::mutex listeners_mutex_;
  std::vector<std::unique_ptr<Listener>> listeners_;  // guarded by listeners_mutex_

  task::Scope accepting_;
  task::Scope connections_;
};

}  // namespace quoll::http
