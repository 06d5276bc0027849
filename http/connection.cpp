#include "http/connection.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <ctime>

#include "task/asio.hpp"

namespace quoll::http {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t kTurnBytes = 1 << 20;  // moved without waiting before other tasks have their turn
constexpr std::size_t kLingerBytes = 1 << 20;
constexpr std::chrono::milliseconds kLingerTime{1000};

int family_of(int fd) {
  int family = AF_UNIX;
  socklen_t size = sizeof(family);
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return family;
}

}  // namespace

Connection::Connection(Server& server, Home& home, UniqueFd fd)
    : server_(server),
      counted_{server.connection_count_},
      home_(home),
      next_(home.first),
      socket_(home.worker->context()) {
  is_unix_ = family_of(fd.get()) == AF_UNIX;
  if (const auto error = adopt(std::move(fd))) throw boost::system::system_error(error);
  name_client();
  if (next_ != nullptr) next_->previous_ = this;
  home_.first = this;
}

Connection::~Connection() {
  home_.worker->disarm_timer(*this);
  (previous_ != nullptr ? previous_->next_ : home_.first) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  if (server_.reserve_ == nullptr || !socket_.is_open()) return;
  boost::system::error_code error;
  const int fd = socket_.release(error);
  if (!error) server_.reserve_->take(UniqueFd(fd));
}

boost::system::error_code Connection::adopt(UniqueFd fd) {
  boost::system::error_code error;
  socket_.assign(asio::generic::stream_protocol(family_of(fd.get()), 0), fd.get(), error);
  if (!error) fd.release();
  return error;
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
  read_timed_out_ = false;
  set_deadline(read_deadline_ns_, kLingerTime);
  for (std::size_t total = 0; total < kLingerBytes && !read_timed_out_;) {
    input_.consume(input_.size());
    const std::span<char> room = input_.room(options().read_ahead_bytes_max);
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), task::use);
    if (error) break;
    total += count;
  }
}

// Turns.

void Connection::add_to_turn(std::size_t bytes) {
  turn_bytes_ += static_cast<std::uint32_t>(std::min<std::size_t>(bytes, kTurnBytes));
}

bool Connection::turn_is_over() {
  if (turn_bytes_ < kTurnBytes) return false;
  turn_bytes_ = 0;
  return true;
}

}  // namespace quoll::http
