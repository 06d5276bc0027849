// Response: what a handler answers with: one body, a stream, or the raw connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "http/hijack.hpp"
#include "task/task.hpp"

namespace quoll::http {

class Connection;

// A handler calls one of send(), send_empty(), start_stream() or hijack(). What it throws before is rendered as an
// error; what it throws later closes the connection without the stream's proper end, so that the client sees that
// something is missing.
//
// Lifetime: valid until the handler has returned. String views need to live until the await ends.
// Thread:   the connection's worker; one writer at a time.
// Cancel:   a write to a client that has left cancels the request's token and throws Cancelled; in a route that runs to
//           its end it throws Error{kCancelled}.
// Errors:   a client that takes nothing for the write timeout counts as gone.
class Response {
 public:
  explicit Response(Connection& connection) : connection_(connection) {}
  Response(const Response&) = delete;
  Response& operator=(const Response&) = delete;

  // 200 unless said otherwise. REQUIRES: no headers sent yet.
  void set_status(int status);
  int status() const { return status_; }
  // Adds a header, and replaces none: the server itself sends Date, Content-Length, Transfer-Encoding and Connection,
  // and the Content-Type given to the calls below. Line breaks in a value become spaces.
  void set_header(std::string_view name, std::string_view value);
  // No further request on this connection; says so in the headers. REQUIRES: no headers sent yet.
  void close_connection();
  bool headers_sent() const { return state_ != State::kFresh; }
  bool hijacked() const { return state_ == State::kHijacked; }
  bool ended() const { return state_ == State::kEnded || state_ == State::kHijacked; }

  // Headers and body at once. To a HEAD request the body is not sent, its length is.
  task::Task<void> send(std::string_view body, std::string_view content_type);
  task::Task<void> send(std::shared_ptr<const std::string> body, std::string_view content_type);
  // No body: 204, 304, or `Content-Length: 0`.
  task::Task<void> send_empty(int status);

  // The headers go out now. Chunked to HTTP/1.1, ended by the connection's close to HTTP/1.0.
  task::Task<void> start_stream(std::string_view content_type);
  // Before a stream that goes as fast as the client takes it: the kernel holds more of it, so that the two wait for
  // each other less often. Of no effect over TCP, which finds its own size.
  void expect_bulk();
  // One chunk, in one system call where the socket takes it, without copying. Waits while the client does not read.
  task::Task<void> write(std::string_view bytes);
  task::Task<void> write(std::span<const std::string_view> buffers);
  // Sent behind the last chunk (and dropped where the answer is not chunked). Announce it by set_header("Trailer",
  // name).
  void set_trailer(std::string_view name, std::string_view value);
  // The stream's proper end. The server calls it when a handler returns without.
  task::Task<void> finish();

  // `101 UPGRADED` where the client asked for an upgrade, a raw `200 OK` otherwise.
  task::Task<HijackedStream> hijack(std::string_view content_type = "application/vnd.docker.raw-stream");

 private:
  enum class State : std::uint8_t { kFresh, kStreaming, kHijacked, kEnded };

  static void add_line(std::string& to, std::string_view name, std::string_view value);
  void require_fresh() const;
  std::string& begin_head(std::string_view content_type);
  void end_head(std::string& head);

  Connection& connection_;
  int status_ = 200;
  State state_ = State::kFresh;
  bool chunked_ = false;
  bool bodiless_ = false;
  std::string extra_headers_;
  std::string trailers_;
};

}  // namespace quoll::http
