#include "http/body_loan.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <utility>

#include "http/connection.hpp"
#include "http/status.hpp"
#include "task/assert.hpp"
#include "task/error.hpp"
#include "task/timer.hpp"

namespace quoll::http {
namespace {

// More than a UNIX socket holds: one call takes all that has come.
constexpr std::size_t kReceiveBytes = 256 * 1024;

}  // namespace

// What a connection does for a loan.

task::Task<void> Connection::ready_to_lend() {
  if (exchange_->expects_continue) send_continue();
  if (has_unsent()) co_await flush();
  if (!exchange_->watch_scope) co_await task::yield();  // the handler's first suspension is what makes it
  co_await stop_watch();
}

UniqueFd Connection::lend_socket() {
  QUOLL_ASSERT(task::Worker::current() == home_.worker);
  QUOLL_ASSERT(!exchange_->watch_scope);
  return UniqueFd(socket_.release());
}

void Connection::take_back(UniqueFd socket, bool ended) {
  QUOLL_ASSERT(task::Worker::current() == home_.worker);
  if (adopt(std::move(socket))) {
    client_left();  // the kernel has no room to wait for it any more
  } else if (ended) {
    input_ended();
  }
  on_handler_suspended();
}

BodyLoan::BodyLoan(Connection& connection) : connection_(connection), socket_(connection.lend_socket()) {}

BodyLoan::~BodyLoan() { return_socket(); }

void BodyLoan::return_socket() {
  if (socket_) connection_.take_back(std::move(socket_), ended_);
}

void BodyLoan::give_back() {
  return_socket();
  if (connection_.gone()) connection_.throw_gone();
}

void BodyLoan::run(const BodyConsumer& consume, const std::stop_token& stop) {
  std::exception_ptr failure;
  try {
    consume([&](std::span<char> buffer) { return read(buffer, stop); }, stop);
  } catch (...) {
    failure = std::current_exception();
  }
  std::array<char, 16 * 1024> dropped;
  while (read(dropped, stop) != 0) {
  }
  if (failure) std::rethrow_exception(failure);
}

std::size_t BodyLoan::read(std::span<char> buffer, const std::stop_token& stop) {
  RequestParser& parser = connection_.exchange().parser;
  InputBuffer& input = connection_.input();
  while (!parser.done() && !buffer.empty()) {
    std::size_t count = 0;
    const std::size_t held = input.size();
    const std::size_t taken = parse(input.bytes(), buffer, count);
    input.consume(taken);
    if (count > 0) return count;
    if (taken > 0) continue;
    if (held >= kReceiveBytes) connection_.refuse_body(400, "malformed chunked body");
    if (buffer.size() >= kReceiveBytes) {
      count = receive_in_place(buffer, stop);
      if (count > 0) return count;
    } else {
      input.reserve(kReceiveBytes);
      input.commit(receive(input.room(kReceiveBytes), stop));
    }
  }
  return 0;
}

std::size_t BodyLoan::parse(std::string_view bytes, std::span<char> out, std::size_t& count) {
  RequestParser& parser = connection_.exchange().parser;
  const std::size_t taken = parser.parse_body(bytes, out, &count);
  if (count == 0 && parser.failure().status != 0) {
    connection_.refuse_body(parser.failure().status, std::string(parser.failure().text));
  }
  return taken;
}

// Receives to where the bytes are wanted and takes the chunks' framing out of them there. REQUIRES: the input holds
// less than `buffer`.
std::size_t BodyLoan::receive_in_place(std::span<char> buffer, const std::stop_token& stop) {
  InputBuffer& input = connection_.input();
  const std::size_t held = input.bytes().copy(buffer.data(), buffer.size());
  input.consume(held);
  const std::size_t size = held + receive(buffer.subspan(held), stop);
  std::size_t count = 0;
  const std::size_t taken = parse({buffer.data(), size}, buffer, count);
  const std::span<const char> rest = buffer.subspan(taken, size - taken);
  input.reserve(rest.size());
  const std::span<char> room = input.room(kReceiveBytes);
  std::ranges::copy(rest, room.begin());
  input.commit(rest.size());
  return count;
}

// At least one byte.
std::size_t BodyLoan::receive(std::span<char> room, const std::stop_token& stop) {
  while (true) {
    if (stop.stop_requested()) throw Error(ErrorClass::kCancelled, "the upload was broken off");
    const ssize_t count = ::recv(socket_.get(), room.data(), room.size(), MSG_DONTWAIT);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      ended_ = true;
      connection_.refuse_body(400, "request body ended early");
    }
    if (errno == EAGAIN) wait(stop);
  }
}

// Until the client sends, or leaves, or the function is told to stop.
void BodyLoan::wait(const std::stop_token& stop) {
  if (!stop_event_) {
    stop_event_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_event_) throw system_error(errno, "eventfd");
  }
  const std::stop_callback tell(stop, [this] { ::eventfd_write(stop_event_.get(), 1); });
  pollfd events[] = {{socket_.get(), POLLIN, 0}, {stop_event_.get(), POLLIN, 0}};
  ::poll(events, 2, -1);
}

}  // namespace quoll::http
