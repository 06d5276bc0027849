#include "http/connection.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <ctime>

#include "http/status.hpp"
#include "task/asio.hpp"
#include "task/assert.hpp"
#include "task/timer.hpp"

namespace quoll::http {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kVectorsMax = 64;
constexpr std::size_t kBatchMax = 16 * 1024;   // answers to pipelined requests that leave together
constexpr std::uint32_t kTurnBytes = 1 << 20;  // moved without waiting before other tasks have their turn
constexpr std::size_t kLingerBytes = 1 << 20;
constexpr std::chrono::milliseconds kLingerTime{1000};

int family_of(int fd) {
  int family = AF_UNIX;
  socklen_t size = sizeof(family);
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return family;
}

short poll_now(int fd) {
  pollfd entry{fd, POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) > 0 ? entry.revents : static_cast<short>(0);
}

}  // namespace

Connection::Connection(Server& server, Home& home, UniqueFd fd)
    : server_(server), counted_{server.connection_count_}, home_(home), next_(home.first), socket_(home.worker->context()) {
  const int family = family_of(fd.get());
  is_unix_ = family == AF_UNIX;
  socket_.assign(asio::generic::stream_protocol(family, 0), fd.get());
  fd.release();
  name_client();
  if (next_ != nullptr) next_->previous_ = this;
  home_.first = this;
}

Connection::~Connection() {
  home_.worker->disarm_timer(*this);
  (previous_ != nullptr ? previous_->next_ : home_.first) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

void Connection::name_client() {
  const int fd = socket_.native_handle();
  char text[INET6_ADDRSTRLEN + 16] = "";
  if (is_unix_) {
    ucred peer{};
    socklen_t size = sizeof(peer);
    ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    client_ = "unix:pid=" + std::to_string(peer.pid) + ",uid=" + std::to_string(peer.uid);
    return;
  }
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size);
  if (peer.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(peer);
    ::inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof(text));
    client_ = "[" + std::string(text) + "]:" + std::to_string(ntohs(address.sin6_port));
  } else {
    const auto& address = reinterpret_cast<const sockaddr_in&>(peer);
    ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text));
    client_ = std::string(text) + ":" + std::to_string(ntohs(address.sin_port));
  }
}

std::string_view Connection::date_header() {
  const std::time_t now = std::time(nullptr);
  if (home_.date_seconds != now) {
    home_.date_seconds = now;
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char text[64];
    std::strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    home_.date_header = text;
  }
  return home_.date_header;
}

// Time limits: one timer a connection. A limit that moves away is noticed when the timer fires, so that an ordinary
// request touches no timer at all.

void Connection::set_deadline(std::int64_t& deadline, std::chrono::milliseconds timeout) {
  if (timeout.count() == 0) {
    deadline = kNever;
    return;
  }
  task::Worker& worker = *home_.worker;
  deadline = worker.clock().now_ns() + std::chrono::nanoseconds(timeout).count();
  if (armed() && deadline_ns() <= deadline) return;
  worker.disarm_timer(*this);
  worker.arm_timer(*this, deadline);
}

void Connection::abort_waits() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Connection::fire() {
  const std::int64_t now = home_.worker->clock().now_ns();
  bool expired = false;
  if (read_deadline_ns_ <= now) {
    read_timed_out_ = expired = true;
    read_deadline_ns_ = kNever;
  }
  if (write_deadline_ns_ <= now) {
    write_timed_out_ = expired = true;
    write_deadline_ns_ = kNever;
  }
  // Who did not run out of time sees an operation aborted for nothing, and starts it again.
  if (expired) abort_waits();
  const std::int64_t next = std::min(read_deadline_ns_, write_deadline_ns_);
  if (next != kNever) home_.worker->arm_timer(*this, next);
}

// Between requests.

bool Connection::wants_request() const {
  if (close_after_ || gone_) return false;
  if (!input_.empty()) return true;
  return !input_ended_ && !server_.stopping_.load(std::memory_order_relaxed);
}

std::span<char> Connection::start_idle() {
  idle_ = true;
  set_deadline(read_deadline_ns_, options().idle_timeout);
  input_.release();
  return input_.room(options().header_bytes_max + 1);
}

bool Connection::end_idle(const boost::system::error_code& error, std::size_t count) {
  idle_ = false;
  read_deadline_ns_ = kNever;
  read_timed_out_ = false;
  if (error) return false;
  input_.commit(count);
  return true;
}

void Connection::begin_stop() {
  if (idle_) abort_waits();
}

task::Task<void> Connection::linger() {
  ::shutdown(socket_.native_handle(), SHUT_WR);
  write_shut_ = true;
  set_deadline(read_deadline_ns_, kLingerTime);
  for (std::size_t total = 0; total < kLingerBytes && !read_timed_out_;) {
    input_.consume(input_.size());
    const std::span<char> room = input_.room(options().read_ahead_bytes_max);
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), task::use);
    if (error) break;
    total += count;
  }
}

// Input during a request.

task::Task<bool> Connection::read_more_head() {
  set_deadline(read_deadline_ns_, options().header_timeout);
  bool more = false;
  while (!read_timed_out_ && !input_ended_) {
    const std::span<char> room = input_.room(options().header_bytes_max + 1);
    QUOLL_ASSERT(!room.empty());
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), task::use);
    if (!error) {
      input_.commit(count);
      if (!exchange_->parse_head()) continue;
      more = true;
      break;
    }
    if (error != asio::error::operation_aborted) input_ended_ = true;
  }
  read_deadline_ns_ = kNever;
  co_return more;
}

Connection::Received Connection::receive_now() {
  const std::span<char> room = input_.room(options().read_ahead_bytes_max);
  if (room.empty()) return Received::kBytes;
  const ssize_t count = ::recv(socket_.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
  if (count > 0) {
    input_.commit(static_cast<std::size_t>(count));
    return Received::kBytes;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Received::kNothingYet;
  return Received::kEnd;
}

task::Task<void> Connection::wait_for_input() {
  if (!watch_running()) {
    const Received received = receive_now();
    if (received == Received::kBytes) co_return;
    if (received == Received::kEnd) {
      input_ended();
      co_return;
    }
    watch_wanted_ = true;
    // While the handler has not suspended yet, on_handler_suspended() starts it in a moment.
    if (exchange_->watch_scope) start_watch();
  }
  co_await input_ready_.wait(task::TaskState::kIoWait);
}

task::Task<std::size_t> Connection::read_body(std::span<char> buffer) {
  RequestParser& parser = exchange_->parser;
  if (turn_is_over()) co_await task::yield();
  while (!parser.done() && !buffer.empty()) {
    std::size_t count = 0;
    const std::size_t held = input_.size();
    const std::size_t taken = parser.parse_body(input_.bytes(), buffer, &count);
    input_.consume(taken);
    if (taken > 0) space_ready_.notify();
    if (count > 0) {
      add_to_turn(count);
      co_return count;
    }
    if (parser.failure().status != 0) {
      close_unread();
      throw StatusError(parser.failure().status, std::string(parser.failure().text));
    }
    if (taken > 0) continue;
    if (gone_) throw_gone();
    if (input_ended_ || held >= options().read_ahead_bytes_max) {
      close_unread();
      throw StatusError(400, input_ended_ ? "request body ended early" : "malformed chunked body");
    }
    if (exchange_->expects_continue) send_continue();
    co_await wait_for_input();
  }
  co_return 0;
}

task::Task<std::size_t> Connection::read_raw(std::span<char> buffer) {
  if (turn_is_over()) co_await task::yield();
  while (input_.empty()) {
    if (gone_) throw_gone();
    if (input_ended_) co_return 0;
    co_await wait_for_input();
  }
  const std::string_view bytes = input_.bytes().substr(0, buffer.size());
  bytes.copy(buffer.data(), bytes.size());
  input_.consume(bytes.size());
  space_ready_.notify();
  add_to_turn(bytes.size());
  co_return bytes.size();
}

task::Task<bool> Connection::drain_body() {
  RequestParser& parser = exchange_->parser;
  std::size_t total = 0;
  if (has_unsent()) co_await flush();
  set_deadline(read_deadline_ns_, options().header_timeout);
  while (!parser.done() && total <= options().drain_bytes_max && parser.failure().status == 0) {
    char sink[4096];
    std::size_t count = 0;
    const std::size_t taken = parser.parse_body(input_.bytes(), sink, &count);
    input_.consume(taken);
    total += taken;
    if (taken > 0) continue;
    const std::span<char> room = input_.room(options().read_ahead_bytes_max);
    if (room.empty() || read_timed_out_) break;
    const auto [error, received] = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), task::use);
    if (!error) {
      input_.commit(received);
    } else if (error != asio::error::operation_aborted) {
      input_ended_ = true;
      break;
    }
  }
  read_deadline_ns_ = kNever;
  co_return parser.done();
}

// The client's end of sending: for an ordinary request on TCP it has left, as nothing tells that from a full close.
void Connection::input_ended() {
  input_ended_ = true;
  if (client_is_gone()) client_left();
  input_ready_.notify();
}

bool Connection::client_is_gone() {
  const short events = poll_now(socket_.native_handle());
  if ((events & POLLERR) != 0) return true;
  if ((events & POLLHUP) != 0 && !write_shut_) return true;
  return (events & POLLRDHUP) != 0 && !is_unix_ && !hijacked_ && exchange_->cancels_on_disconnect();
}

void Connection::client_left() {
  input_ended_ = gone_ = true;
  input_ready_.notify();
  if (exchange_ != nullptr && exchange_->node != nullptr && exchange_->cancels_on_disconnect()) {
    exchange_->node->cancel(task::CancelReason::kClientGone);
  }
}

void Connection::throw_gone() {
  client_left();
  if (exchange_ == nullptr || exchange_->cancels_on_disconnect()) {
    throw task::Cancelled(task::CancelReason::kClientGone);
  }
  throw Error(ErrorClass::kCancelled, "the client has left");
}

// The watch.

bool Connection::watch_running() const { return exchange_->watch_scope && exchange_->watch_scope->size() > 0; }

void Connection::on_handler_suspended() {
  // The scope lies below the request's own token, whatever deadline the handler has put in force just now.
  task::TaskRecord& task = task::this_task::record();
  task::CancelNode* const in_force = std::exchange(task.cancel, exchange_->node);
  exchange_->watch_scope.emplace("http.watch");
  task.cancel = in_force;
  if (exchange_->cancels_on_disconnect() || watch_wanted_ || has_unsent()) start_watch();
}

void Connection::start_watch() { exchange_->watch_scope->spawn("http.watch", watch_for_disconnect()); }

task::Task<void> Connection::stop_watch() {
  exchange_->watch_scope->cancel(task::CancelReason::kParent);
  co_await exchange_->watch_scope->join();
  exchange_->watch_scope.reset();
  watch_wanted_ = false;
}

task::Task<void> Connection::watch_for_disconnect() {
  if (has_unsent()) co_await flush();
  while (!input_ended_) {
    const std::span<char> room = input_.room(options().read_ahead_bytes_max);
    if (room.empty()) {
      co_await space_ready_.wait(task::TaskState::kIoWait, options().gone_poll_interval);
      if (client_is_gone()) client_left();
      continue;
    }
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), task::use);
    if (error == asio::error::operation_aborted) continue;
    if (error) {
      input_ended();
    } else {
      input_.commit(count);
      input_ready_.notify();
    }
  }
  // Half closed: what is left to be seen is the full close, a reset, or keep-alive's verdict on a dead peer.
  while (!gone_ && !write_shut_) {
    const auto [error] = co_await socket_.async_wait(Socket::wait_error, task::use);
    if (error != asio::error::operation_aborted && client_is_gone()) client_left();
  }
}

// Output.

bool Connection::write_now(Gather& out) {
  while (has_unsent() || !out.empty()) {
    iovec vectors[kVectorsMax];
    vectors[0] = {unsent_.data(), unsent_.size()};
    const int first = has_unsent() ? 1 : 0;
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = static_cast<std::size_t>(first + out.fill(std::span(vectors).subspan(first)));
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) throw_gone();
      unsent_.append(out.head());
      out.drop_head();
      return false;
    }
    auto count = static_cast<std::size_t>(sent);
    const std::size_t old = std::min(count, unsent_.size());
    if (old == unsent_.size()) {
      if (old > 0) std::string().swap(unsent_);
    } else {
      unsent_.erase(0, old);
    }
    out.consume(count - old);
  }
  return true;
}

task::Task<void> Connection::write_rest(Gather& out, std::chrono::milliseconds timeout) {
  turn_bytes_ = 0;
  do {
    set_deadline(write_deadline_ns_, timeout);
    co_await socket_.async_wait(Socket::wait_write, task::use);  // an error shows again in write_now()
    write_deadline_ns_ = kNever;
    if (write_timed_out_) throw_gone();
    if (gone_) throw_gone();
  } while (!write_now(out));
}

bool Connection::write_later(const Gather& out) {
  // What follows a request that has been read whole is another one; anything else may be waited for first.
  if (input_.empty() || !exchange_->parser.done() || out.size() + unsent_.size() > kBatchMax) return false;
  iovec vectors[4];
  const int count = out.fill(vectors);
  for (int i = 0; i < count; ++i) unsent_.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  return true;
}

task::Task<void> Connection::flush() {
  Gather nothing{std::string_view()};
  if (!write_now(nothing)) co_await write_rest(nothing, options().write_timeout);
}

void Connection::send_continue() {
  exchange_->expects_continue = false;
  Gather out("HTTP/1.1 100 Continue\r\n\r\n");
  write_now(out);  // what does not fit goes with the next write
}

void Connection::shutdown_write() {
  if (std::exchange(write_shut_, true)) return;
  ::shutdown(socket_.native_handle(), SHUT_WR);
}

void Connection::add_to_turn(std::size_t bytes) {
  turn_bytes_ += static_cast<std::uint32_t>(std::min<std::size_t>(bytes, kTurnBytes));
}

bool Connection::turn_is_over() {
  if (turn_bytes_ < kTurnBytes) return false;
  turn_bytes_ = 0;
  return true;
}

}  // namespace quoll::http
