// What a connection receives during a request, and how it notices that the client leaves.
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "http/connection.hpp"
#include "http/status.hpp"
#include "task/asio.hpp"
#include "task/assert.hpp"
#include "task/timer.hpp"

namespace quoll::http {

namespace asio = boost::asio;

namespace {

short poll_now(int fd) {
  pollfd entry{fd, POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) > 0 ? entry.revents : static_cast<short>(0);
}

}  // namespace

task::Task<bool> Connection::read_more_head() {
  read_timed_out_ = false;
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
  QUOLL_ASSERT(task::Worker::current() == home_.worker);
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
    if (parser.failure().status != 0) refuse_body(parser.failure().status, std::string(parser.failure().text));
    if (taken > 0) continue;
    if (gone_) throw_gone();
    if (input_ended_) refuse_body(400, "request body ended early");
    if (held >= options().read_ahead_bytes_max) refuse_body(400, "malformed chunked body");
    if (exchange_->expects_continue) send_continue();
    co_await wait_for_input();
  }
  co_return 0;
}

void Connection::refuse_body(int status, std::string text) {
  close_unread();
  throw StatusError(status, std::move(text));
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
  read_timed_out_ = false;
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
  if (exchange_ == nullptr) return;
  if (exchange_->labels.client_left_ns.load(std::memory_order_relaxed) == 0) {
    exchange_->labels.client_left_ns.store(task::coarse_now_ns(), std::memory_order_relaxed);
  }
  if (exchange_->node != nullptr && exchange_->cancels_on_disconnect()) {
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
  exchange_->watch_scope->set_bystanders();
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

}  // namespace quoll::http
