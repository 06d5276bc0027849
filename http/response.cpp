#include "http/response.hpp"

#include <charconv>

#include "http/connection.hpp"
#include "http/status.hpp"
#include "task/timer.hpp"

namespace quoll::http {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

void append_number(std::string& to, std::size_t number, int base = 10) {
  char digits[24];
  to.append(digits, std::to_chars(digits, digits + sizeof(digits), number, base).ptr);
}

bool has_no_body(int status) { return status == 204 || status == 304 || status < 200; }

}  // namespace

void Response::add_line(std::string& to, std::string_view name, std::string_view value) {
  to.append(name).append(": ");
  for (const char c : value) to += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  to.append(kLineEnd);
}

void Response::require_fresh() const {
  if (state_ != State::kFresh) throw Error(ErrorClass::kInternal, "the answer has begun already");
}

void Response::set_status(int status) {
  require_fresh();
  status_ = status;
}

void Response::set_header(std::string_view name, std::string_view value) {
  require_fresh();
  add_line(extra_headers_, name, value);
}

void Response::close_connection() {
  require_fresh();
  connection_.close_after_answer();
}

void Response::set_trailer(std::string_view name, std::string_view value) { add_line(trailers_, name, value); }

// Status line and headers up to the ones that say how long the body is.
std::string& Response::begin_head(std::string_view content_type) {
  std::string& head = connection_.home().scratch;
  head.assign("HTTP/1.1 ");
  append_number(head, static_cast<std::size_t>(status_));
  head.append(" ").append(reason_phrase(status_)).append(kLineEnd);
  head.append(connection_.options().static_headers).append(connection_.date_header()).append(extra_headers_);
  if (!content_type.empty()) add_line(head, "Content-Type", content_type);
  return head;
}

void Response::end_head(std::string& head) {
  Exchange& exchange = connection_.exchange();
  if (!exchange.keeps_connection()) {
    connection_.close_after_answer();
    head.append("Connection: close\r\n");
  } else if (exchange.request.version_minor() == 0) {
    head.append("Connection: keep-alive\r\n");
  }
  head.append(kLineEnd);
}

task::Task<void> Response::send(std::string_view body, std::string_view content_type) {
  require_fresh();
  std::string& head = begin_head(has_no_body(status_) ? std::string_view() : content_type);
  if (!has_no_body(status_)) {
    head.append("Content-Length: ");
    append_number(head, body.size());
    head.append(kLineEnd);
  }
  end_head(head);
  state_ = State::kEnded;
  const bool bodiless = has_no_body(status_) || connection_.exchange().is_head_method();
  const std::string_view parts[] = {bodiless ? std::string_view() : body};
  Gather out(head, parts);
  if (connection_.write_later(out) || connection_.write_now(out)) co_return;
  co_await connection_.write_rest(out, connection_.options().write_timeout);
}

task::Task<void> Response::send(std::shared_ptr<const std::string> body, std::string_view content_type) {
  co_await send(std::string_view(*body), content_type);
}

task::Task<void> Response::send_empty(int status) {
  set_status(status);
  return send(std::string_view(), std::string_view());
}

task::Task<void> Response::start_stream(std::string_view content_type) {
  require_fresh();
  Exchange& exchange = connection_.exchange();
  bodiless_ = has_no_body(status_) || exchange.is_head_method();
  chunked_ = exchange.request.version_minor() >= 1 && !has_no_body(status_);
  if (!chunked_ && !bodiless_) connection_.close_after_answer();
  std::string& head = begin_head(content_type);
  if (chunked_) head.append("Transfer-Encoding: chunked\r\n");
  end_head(head);
  state_ = State::kStreaming;
  Gather out{std::string_view(head)};
  if (!connection_.write_now(out)) co_await connection_.write_rest(out, connection_.options().stream_write_timeout);
}

void Response::expect_bulk() { connection_.widen_output(); }

task::Task<void> Response::write(std::string_view bytes) {
  const std::string_view parts[] = {bytes};
  co_await write(std::span(parts));
}

task::Task<void> Response::write(std::span<const std::string_view> buffers) {
  if (state_ != State::kStreaming) throw Error(ErrorClass::kInternal, "no stream has been started");
  std::size_t size = 0;
  for (const std::string_view bytes : buffers) size += bytes.size();
  if (size == 0 || bodiless_) co_return;
  if (connection_.turn_is_over()) co_await task::yield();
  char head[24];
  char* end = head;
  if (chunked_) {
    end = std::to_chars(head, head + sizeof(head), size, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
  }
  Gather out(std::string_view(head, static_cast<std::size_t>(end - head)), buffers,
             chunked_ ? kLineEnd : std::string_view());
  connection_.add_to_turn(size);
  if (!connection_.write_now(out)) co_await connection_.write_rest(out, connection_.options().stream_write_timeout);
}

task::Task<void> Response::finish() {
  if (state_ != State::kStreaming) co_return;
  state_ = State::kEnded;
  if (!chunked_ || bodiless_) co_return;
  std::string& tail = connection_.home().scratch;
  tail.assign("0\r\n").append(trailers_).append(kLineEnd);
  Gather out{std::string_view(tail)};
  if (!connection_.write_now(out)) co_await connection_.write_rest(out, connection_.options().stream_write_timeout);
}

task::Task<HijackedStream> Response::hijack(std::string_view content_type) {
  require_fresh();
  Exchange& exchange = connection_.exchange();
  // What follows the request is the raw stream, so its body has to be out of the way.
  char sink[512];
  while (co_await connection_.read_body(sink) > 0) {
  }
  connection_.set_hijacked();
  // Where it ends before its client has stopped sending, what was written last must not be lost with the unread input.
  connection_.close_unread();
  std::string& head = connection_.home().scratch;
  const bool upgrades = has_token(exchange.request.header("Connection"), "upgrade") &&
                        !exchange.request.header("Upgrade").empty() && exchange.request.version_minor() >= 1;
  head.assign(upgrades ? "HTTP/1.1 101 UPGRADED\r\n" : "HTTP/1.1 200 OK\r\n");
  add_line(head, "Content-Type", content_type);
  if (upgrades) {
    head.append("Connection: Upgrade\r\n");
    add_line(head, "Upgrade", exchange.request.header("Upgrade"));
  }
  head.append(extra_headers_).append(kLineEnd);
  status_ = upgrades ? 101 : 200;
  state_ = State::kHijacked;
  Gather out{std::string_view(head)};
  if (!connection_.write_now(out)) co_await connection_.write_rest(out, connection_.options().stream_write_timeout);
  co_return HijackedStream(connection_);
}

task::Task<std::size_t> HijackedStream::read_some(std::span<char> buffer) { return connection_->read_raw(buffer); }

task::Task<void> HijackedStream::write(std::string_view bytes) {
  const std::string_view parts[] = {bytes};
  co_await write(std::span(parts));
}

task::Task<void> HijackedStream::write(std::span<const std::string_view> buffers) {
  if (connection_->turn_is_over()) co_await task::yield();
  Gather out({}, buffers);
  connection_->add_to_turn(out.size());
  if (!connection_->write_now(out)) co_await connection_->write_rest(out, connection_->options().stream_write_timeout);
}

void HijackedStream::shutdown_write() { connection_->shutdown_write(); }

}  // namespace quoll::http
