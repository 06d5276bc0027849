#include "cli/standard_stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "task/blocking.hpp"
#include "task/error.hpp"
#include "task/event.hpp"

namespace quoll::cli {
namespace {

bool is_pipe(int descriptor) {
  struct stat status;
  return ::fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode);
}

std::unique_ptr<task::AsyncFd> open_again(int descriptor, int mode) {
  if (!is_pipe(descriptor) && ::isatty(descriptor) == 0) return nullptr;
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  UniqueFd own(::open(path.c_str(), mode | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!own) return nullptr;
  return std::make_unique<task::AsyncFd>(std::move(own));
}

void wait_writable(int descriptor) {
  pollfd wanted{.fd = descriptor, .events = POLLOUT, .revents = 0};
  ::poll(&wanted, 1, -1);
}

}  // namespace

Output::Output(int descriptor) : descriptor_(descriptor), waiting_(open_again(descriptor, O_WRONLY)) {}
Output::~Output() = default;

std::optional<Output::ScreenSize> Output::screen() const {
  winsize size{};
  if (::ioctl(descriptor_, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return std::nullopt;
  return ScreenSize{size.ws_row, size.ws_col};
}

task::Task<void> Output::write(std::string_view bytes) {
  const int target = waiting_ ? waiting_->get() : descriptor_;
  while (!bytes.empty()) {
    const ssize_t written = ::write(target, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      throw OutputClosed();
    } else if (errno == EAGAIN && waiting_) {
      co_await waiting_->writable();
    } else if (errno == EAGAIN) {
      // Somebody else made it non-blocking. Sockets and the like: rare enough for a thread.
      co_await task::blocking([target] { wait_writable(target); });
    } else if (errno != EINTR) {
      throw system_error(errno, "write to standard output");
    }
  }
}

// The end for writing never becomes readable: the kernel reports it as an error when the last reader has closed.
task::Task<void> Output::reader_gone() {
  if (waiting_ && is_pipe(waiting_->get())) co_return co_await waiting_->readable();
  task::Event never;
  co_await never.wait();
}

Input::Input(UniqueFd descriptor)
    : descriptor_(std::move(descriptor)), waiting_(open_again(descriptor_.get(), O_RDONLY)) {}
Input::~Input() = default;

task::Task<std::size_t> Input::read(std::span<char> buffer) {
  if (waiting_) co_return co_await waiting_->read_some(buffer);
  co_return co_await task::blocking([this, buffer] {
    while (true) {
      const ssize_t count = ::read(descriptor_.get(), buffer.data(), buffer.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) throw system_error(errno, "read the archive");
    }
  });
}

}  // namespace quoll::cli
