// Client: a small HTTP/1.1 client over TCP, TLS and UNIX sockets: for registries, the command line and tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/fields.hpp"
#include "task/task.hpp"
#include "task/unique_fd.hpp"

namespace quoll::http {

class ClientConnection;
class TlsContext;

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// Fills the buffer with the next piece of a request's body; 0 ends it. The body is sent chunked.
using BodyProducer = std::function<task::Task<std::size_t>(std::span<char>)>;

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  HeaderList headers;               // Host is added where it is missing
  std::string body;                 // sent with its length where not empty or where the method has a body
  BodyProducer body_producer = {};  // instead of `body`
};

// An HTTP proxy: plain requests are given to it whole, TLS goes through a tunnel that it makes (CONNECT).
struct ClientProxy {
  std::string host;
  std::uint16_t port = 0;
  std::string authorization;  // the value of Proxy-Authorization; empty for none
};

// An answer whose head has been read.
//
// Lifetime: refers to its Client, which outlives it; ends the reading of the body.
// Thread:   the client's worker.
class ClientResponse {
 public:
  int status() const { return status_; }
  std::string_view reason() const { return reason_; }
  std::string_view header(std::string_view name) const { return fields_.get(name); }
  bool has_header(std::string_view name) const { return fields_.has(name); }
  const Fields& headers() const { return fields_; }

  // At least one byte, or 0 at the end. Errors: Error{kUnavailable} where the body ends early.
  task::Task<std::size_t> read_body(std::span<char> buffer);
  // Errors: Error{kResourceExhausted} beyond the limit.
  task::Task<std::string> read_body_all(std::size_t limit = 64 * 1024 * 1024);
  // What came behind the last chunk; complete once the body has ended.
  const Fields& trailers() const { return trailers_; }

 private:
  friend class Client;
  friend class ClientConnection;
  ClientConnection* connection_ = nullptr;
  int status_ = 0;
  std::string reason_;
  Fields fields_;
  Fields trailers_;
};

// One connection, opened at the first request and again after the server has closed it. Requests go one after the
// other: a response's body is read (or dropped with the connection) before the next one.
//
// Thread:   the worker of the task that uses it first, destruction too.
// Cancel:   a cancelled request closes the connection.
// Errors:   Error{kUnavailable} where the server cannot be reached or leaves.
class Client {
 public:
  static Client tcp(std::string host, std::uint16_t port, std::optional<ClientProxy> proxy = {});
  static Client tls(std::string host, std::uint16_t port, std::shared_ptr<const TlsContext> context,
                    std::optional<ClientProxy> proxy = {});
  static Client unix_socket(std::string path);
  // "unix:///run/quoll.sock", "tcp://127.0.0.1:2375", "http://127.0.0.1:2375".
  // Errors: Error{kInvalidArgument}.
  static Client from_url(std::string_view url);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  task::Task<ClientResponse> request(ClientRequest request);
  task::Task<ClientResponse> get(std::string target);
  task::Task<ClientResponse> post(std::string target, std::string body = {},
                                  std::string content_type = "application/json");

  // The raw stream behind a 101 or a hijacked 200. REQUIRES: the last request's answer was one of these.
  task::Task<std::size_t> read_raw(std::span<char> buffer);  // 0: the server sends no more
  task::Task<void> write_raw(std::string_view bytes);
  void shutdown_write();

  void close();

 private:
  struct Address {
    std::string host;  // or the socket's path
    std::uint16_t port = 0;
    bool is_unix = false;
    std::shared_ptr<const TlsContext> tls = {};
    std::optional<ClientProxy> proxy = {};
  };
  explicit Client(Address address);
  task::Task<void> connect();
  task::Task<void> connect_by_proxy(const ClientProxy& proxy);
  std::string host_field() const;
  void address_to_proxy(ClientRequest& request) const;

  Address address_;
  std::unique_ptr<ClientConnection> connection_;
};

}  // namespace quoll::http
