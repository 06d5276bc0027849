// What a connection sends.
#include <sys/socket.h>

#include <cerrno>

#include "http/connection.hpp"
#include "task/asio.hpp"
#include "task/assert.hpp"

namespace quoll::http {
namespace {

constexpr std::size_t kVectorsMax = 64;
constexpr int kBulkBytes = 1024 * 1024;
constexpr std::size_t kBatchMax = 16 * 1024;  // answers to pipelined requests that leave together

}  // namespace

bool Connection::write_now(Gather& out) {
  QUOLL_ASSERT(task::Worker::current() == home_.worker);
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

void Connection::widen_output() {
  if (!is_unix_) return;
  const int bytes = kBulkBytes;
  const int fd = socket_.native_handle();
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) == 0) return;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));  // within the host's limit
}

}  // namespace quoll::http
