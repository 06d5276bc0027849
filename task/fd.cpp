#include "task/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>

#include "task/asio.hpp"
#include "task/assert.hpp"
#include "task/error.hpp"

namespace quoll::task {

using boost::asio::posix::stream_descriptor;

struct AsyncFd::Impl {
  stream_descriptor descriptor;
};

AsyncFd::AsyncFd(UniqueFd fd) {
  Worker* const worker = Worker::current();
  QUOLL_ASSERT(worker != nullptr);
  // Asio itself would do it at its first wait only, after the first read has blocked the worker.
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) < 0) throw system_error(errno, "set non-blocking");
  impl_.reset(new Impl{stream_descriptor(worker->context())});
  boost::system::error_code error;
  impl_->descriptor.assign(fd.get(), error);
  if (error) throw system_error(error.value(), "watch descriptor");
  fd.release();
}

AsyncFd::~AsyncFd() = default;
AsyncFd::AsyncFd(AsyncFd&&) noexcept = default;
AsyncFd& AsyncFd::operator=(AsyncFd&&) noexcept = default;

int AsyncFd::get() const { return impl_->descriptor.native_handle(); }

Task<void> AsyncFd::readable() {
  const auto [error] = co_await impl_->descriptor.async_wait(stream_descriptor::wait_read, use);
  if (error) throw system_error(error.value(), "wait for descriptor");
}

Task<void> AsyncFd::writable() {
  const auto [error] = co_await impl_->descriptor.async_wait(stream_descriptor::wait_write, use);
  if (error) throw system_error(error.value(), "wait for descriptor");
}

Task<std::size_t> AsyncFd::read_some(std::span<char> buffer) {
  while (true) {
    const ssize_t n = ::read(get(), buffer.data(), buffer.size());
    if (n >= 0) co_return static_cast<std::size_t>(n);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw system_error(errno, "read");
    co_await readable();
  }
}

Task<void> AsyncFd::write_all(std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(get(), bytes.data(), bytes.size());
    if (n >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      co_await writable();
    } else if (errno != EINTR) {
      throw system_error(errno, "write");
    }
  }
}

}  // namespace quoll::task
