#include "http/server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "http/connection.hpp"
#include "http/listen.hpp"
#include "task/assert.hpp"
#include "task/error.hpp"
#include "task/fd.hpp"
#include "task/timer.hpp"

namespace quoll::http {
namespace {

// How long to wait where the process is out of descriptors or memory.
constexpr std::chrono::milliseconds kAcceptBackOff{50};
// A flood of connections leaves room for the worker's other tasks.
constexpr unsigned kAcceptsPerTurn = 64;

std::vector<task::Worker*> all_workers(task::Runtime& runtime) {
  std::vector<task::Worker*> workers;
  for (const auto& worker : runtime.workers()) workers.push_back(worker.get());
  return workers;
}

bool is_shortage(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

void refuse_connection(int fd) {
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 21\r\n\r\n"
      "too many connections\n";
  ::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

struct Server::Listener {
  UniqueFd fd;
  std::string unix_path;
};

Server::Server(std::vector<task::Worker*> workers, const Router& router, ServerOptions options)
    : router_(router),
      options_(std::move(options)),
      accepting_("http.accept", task::Scope::Kind::kRoot),
      connections_("http.connections", task::Scope::Kind::kRoot) {
  QUOLL_ASSERT(!workers.empty());
  for (task::Worker* const worker : workers) {
    homes_.push_back(std::make_shared<Home>());
    homes_.back()->worker = worker;
  }
  if (options_.descriptor_reserve == 0) return;
  QUOLL_ASSERT(workers.size() == 1);
  reserve_ = std::make_unique<DescriptorReserve>(options_.descriptor_reserve);
}

Server::Server(task::Runtime& runtime, const Router& router, ServerOptions options)
    : Server(all_workers(runtime), router, std::move(options)) {}

Server::~Server() = default;

std::uint16_t Server::listen_tcp(const std::string& host, std::uint16_t port) {
  UniqueFd fd = open_tcp_listener(host, port);
  const std::uint16_t bound = bound_port(fd.get());
  start_listening(std::move(fd), {});
  return bound;
}

void Server::listen_unix(const std::string& path, mode_t mode, std::optional<gid_t> group) {
  start_listening(open_unix_listener(path, mode, group), path);
}

void Server::adopt(UniqueFd listener) {
  set_nonblocking(listener.get());
  set_tcp_options(listener.get());
  start_listening(std::move(listener), {});
}

void Server::start_listening(UniqueFd fd, std::string unix_path) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.push_back(std::make_unique<Listener>(Listener{std::move(fd), std::move(unix_path)}));
  accepting_.spawn_on(*homes_.front()->worker, "http.accept", accept_loop(*listeners_.back()));
}

task::Task<void> Server::accept_loop(Listener& listener) {
  task::AsyncFd socket(std::move(listener.fd));
  for (unsigned count = 1;; ++count) {
    if (count % kAcceptsPerTurn == 0) co_await task::yield();
    UniqueFd connection(::accept4(socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection) {
      start_connection(std::move(connection));
    } else if (errno == EAGAIN) {
      co_await socket.readable();
    } else if (errno == EMFILE && reserve_ && reserve_->give()) {
      continue;
    } else if (is_shortage(errno)) {
      co_await task::sleep_for(kAcceptBackOff);
    } else if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK) {
      throw system_error(errno, "accept");
    }
    // Anything else is a connection that died in the queue.
  }
}

void Server::adopt_connection(UniqueFd connection) {
  set_nonblocking(connection.get());
  set_tcp_options(connection.get());
  start_connection(std::move(connection));
}

void Server::start_connection(UniqueFd connection, std::source_location at) {
  if (connection_count_.load(std::memory_order_relaxed) >= options_.connections_max) {
    refuse_connection(connection.get());
    return;
  }
  connection_count_.fetch_add(1, std::memory_order_relaxed);
  Home& home = *homes_[next_home_.fetch_add(1, std::memory_order_relaxed) % homes_.size()];
  connections_.spawn_on(*home.worker, kConnectionTask, serve_connection(*this, home, std::move(connection)), at);
}

task::Task<void> Server::cancel_after(std::chrono::nanoseconds grace) {
  try {
    co_await task::sleep_for(grace);
  } catch (const task::Cancelled&) {
    // All have ended, or whoever waits for them has no time left.
  }
  connections_.cancel(task::CancelReason::kShutdown);
}

task::Task<void> Server::stop(std::chrono::nanoseconds grace) {
  stopping_.store(true);
  accepting_.cancel(task::CancelReason::kShutdown);
  co_await accepting_.join();
  {
    const std::lock_guard lock(listeners_mutex_);
    for (const auto& listener : listeners_) {
      if (!listener->unix_path.empty()) ::unlink(listener->unix_path.c_str());
    }
    listeners_.clear();
  }
  for (const auto& home : homes_) {
    home->worker->post([home] {
      for (Connection* connection = home->first; connection != nullptr; connection = connection->next()) {
        connection->begin_stop();
      }
    });
  }
  task::Scope bound("http.stop");
  bound.spawn("http.stop", cancel_after(grace));
  std::exception_ptr failure;
  try {
    co_await connections_.join();
  } catch (...) {
    failure = std::current_exception();
  }
  bound.cancel(task::CancelReason::kParent);
  co_await bound.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace quoll::http
