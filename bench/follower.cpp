#include "bench/follower.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bench {
namespace {

constexpr std::size_t kDigitsMax = 20;

}  // namespace

void LineChecker::feed(const char* data, std::size_t size) {
  while (size > 0) {
    if (frame_left_ == 0) {
      const std::size_t part = std::min(size, sizeof(header_) - header_bytes_);
      std::memcpy(header_ + header_bytes_, data, part);
      header_bytes_ += part;
      data += part;
      size -= part;
      if (header_bytes_ < sizeof(header_)) return;
      if (header_[0] > 2 || header_[1] != 0) fail("no frame header where one was expected");
      std::uint32_t length;
      std::memcpy(&length, header_ + 4, sizeof(length));
      frame_left_ = __builtin_bswap32(length);
      header_bytes_ = 0;
      continue;
    }
    const std::size_t part = std::min(size, frame_left_);
    text(data, part);
    frame_left_ -= part;
    data += part;
    size -= part;
  }
}

void LineChecker::text(const char* data, std::size_t size) {
  text_bytes_ += size;
  while (size > 0) {
    const auto* newline = static_cast<const char*>(std::memchr(data, '\n', size));
    const std::size_t length = newline != nullptr ? static_cast<std::size_t>(newline - data) : size;
    for (std::size_t i = 0; i < length && column_ + i < kDigitsMax && data[i] >= '0' && data[i] <= '9'; ++i) {
      number_ = number_ * 10 + (data[i] - '0');
    }
    column_ += length;
    if (newline == nullptr) return;
    end_line();
    data = newline + 1;
    size -= length + 1;
  }
}

void LineChecker::end_line() {
  ++lines_;
  if (on_line) {
    on_line(number_);
  } else if (number_ >= next_) {
    lost_ += static_cast<std::uint64_t>(number_ - next_);
    next_ = number_ + 1;
  } else {
    ++doubled_;
  }
  number_ = 0;
  column_ = 0;
}

Followers::Followers() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

Followers::~Followers() {
  close_all(false);
  ::close(epoll_);
}

void Followers::open(const std::string& target, const std::string& path, std::size_t count) {
  const std::string request = get_request(path);
  for (std::size_t i = 0; i < count; ++i) {
    Follower& follower = followers_.emplace_back();
    follower.fd = connect_to(target, true);
    epoll_event event{EPOLLIN, {.ptr = &follower}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, follower.fd, &event);
    if (::send(follower.fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) fail_errno("send");
  }
}

std::size_t Followers::poll(int timeout_ms) {
  epoll_event events[256];
  std::size_t bytes = 0;
  const int count = ::epoll_wait(epoll_, events, 256, timeout_ms);
  for (int i = 0; i < count; ++i) bytes += receive(*static_cast<Follower*>(events[i].data.ptr));
  return bytes;
}

std::size_t Followers::receive(Follower& follower) {
  static char buffer[1 << 20];
  const ssize_t count = ::recv(follower.fd, buffer, sizeof(buffer), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (count > 0) {
    follower.reader.feed(buffer, static_cast<std::size_t>(count),
                         [&](const char* data, std::size_t size) { follower.lines.feed(data, size); });
    if (follower.reader.status() >= 300) fail("logs answered " + std::string(buffer, static_cast<std::size_t>(count)));
  }
  if (count <= 0 || follower.reader.done()) {
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, follower.fd, nullptr);
    ++ended_;
  }
  return static_cast<std::size_t>(std::max<ssize_t>(count, 0));
}

bool Followers::wait_for_headers(std::int64_t timeout_ms) {
  const std::int64_t end = now_ns() + timeout_ms * 1'000'000;
  const auto has_header = [](const Follower& follower) { return follower.reader.head_done(); };
  while (!std::all_of(followers_.begin(), followers_.end(), has_header)) {
    if (now_ns() > end) return false;
    poll(10);
  }
  return true;
}

void Followers::close_all(bool reset) {
  for (Follower& follower : followers_) {
    const linger drop{1, 0};
    if (reset) ::setsockopt(follower.fd, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
    ::close(follower.fd);
  }
  followers_.clear();
  ended_ = 0;
}

}  // namespace bench
