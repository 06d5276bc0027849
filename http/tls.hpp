// TLS for the client's connections. OpenSSL is in tls.cpp and nowhere else of http/.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "task/fd.hpp"
#include "task/task.hpp"

namespace quoll::http {

struct TlsOptions {
  bool verify = true;                   // the server's certificate and its name
  std::vector<std::string> ca_files;    // PEM, beside the system's roots
  std::string client_certificate = {};  // PEM with its chain; empty: none is shown
  std::string client_key = {};          // PEM
};

// What connections to one server share. Reading the system's roots takes a millisecond or two and a megabyte: make one
// and keep it.
//
// Thread: any.
class TlsContext {
 public:
  // Errors: kInvalidArgument naming the file that cannot be read or is no PEM.
  explicit TlsContext(const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

 private:
  friend class TlsStream;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One encrypted connection over a descriptor that somebody else owns.
//
// Lifetime: `fd` outlives it.
// Thread:   the worker of `fd`.
// Cancel:   leaves the connection unusable.
// Errors:   kUnavailable; messages of a failed handshake are Go's, which Docker's users know ("x509: certificate signed
//           by unknown authority", "server gave HTTP response to HTTPS client").
class TlsStream {
 public:
  TlsStream(task::AsyncFd& fd, const TlsContext& context);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // `host` is a name or an address: the server's certificate must be for it.
  task::Task<void> handshake(std::string host);
  // At least one byte, or 0 where the server has closed, properly or not: the message's own framing tells which.
  task::Task<std::size_t> read_some(std::span<char> buffer);
  task::Task<void> write_all(std::string_view bytes);

 private:
  struct Impl;
  task::Task<void> wait(int ssl_error);

  task::AsyncFd& fd_;
  std::unique_ptr<Impl> impl_;
};

// How the message of an error says that the server does not speak TLS at all.
inline constexpr std::string_view kNotTls = "server gave HTTP response to HTTPS client";

}  // namespace quoll::http
