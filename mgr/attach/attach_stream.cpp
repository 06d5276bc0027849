#include "mgr/attach/attach_stream.hpp"

#include <sys/socket.h>

#include "task/error.hpp"

namespace quoll::mgr {

void AttachRegistry::release() {
  const std::lock_guard lock(mutex_);
  released_ = true;
  for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
}

void AttachRegistry::add(int socket) {
  const std::lock_guard lock(mutex_);
  sockets_.insert(socket);
  if (released_) ::shutdown(socket, SHUT_RDWR);
}

void AttachRegistry::remove(int socket) {
  const std::lock_guard lock(mutex_);
  sockets_.erase(socket);
}

AttachStream::AttachStream(UniqueFd socket, AttachRegistry& registry)
    : registry_(registry), socket_(std::move(socket)) {
  registry_.add(socket_.get());
}

AttachStream::~AttachStream() { registry_.remove(socket_.get()); }

task::Task<std::size_t> AttachStream::read_some(std::span<char> buffer) {
  try {
    co_return co_await socket_.read_some(buffer);
  } catch (const Error&) {
    co_return 0;  // the monitor was killed
  }
}

task::Task<bool> AttachStream::write_all(std::span<const char> bytes) {
  try {
    co_await socket_.write_all(bytes);
    co_return true;
  } catch (const Error&) {
    co_return false;
  }
}

void AttachStream::end_input() { ::shutdown(socket_.get(), SHUT_WR); }

void AttachStream::end() { ::shutdown(socket_.get(), SHUT_RDWR); }

}  // namespace quoll::mgr
