#include "http/listen.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "task/error.hpp"

namespace quoll::http {
namespace {

constexpr int kBacklog = 4096;
constexpr int kProbeIdleSeconds = 15;
constexpr int kProbeIntervalSeconds = 15;
constexpr int kProbesMax = 4;

UniqueFd open_socket(int family) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw system_error(errno, "socket");
  return fd;
}

void set_option(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof(value)); }

void bind_and_listen(int fd, const sockaddr* address, socklen_t size, const std::string& name) {
  if (::bind(fd, address, size) != 0) {
    if (errno == EADDRINUSE) throw Error(ErrorClass::kAlreadyExists, "listen on " + name + ": address already in use");
    throw system_error(errno, "bind " + name);
  }
  if (::listen(fd, kBacklog) != 0) throw system_error(errno, "listen on " + name);
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    throw Error(ErrorClass::kInvalidArgument, "socket path " + path + ": empty or longer than 107 bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

void remove_stale_socket(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) throw Error(ErrorClass::kAlreadyExists, "listen on " + path + ": is no socket");
  const UniqueFd probe = open_socket(AF_UNIX);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN) {
    throw Error(ErrorClass::kAlreadyExists, "listen on " + path + ": address already in use");
  }
  ::unlink(path.c_str());
}

}  // namespace

void set_tcp_options(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kProbeIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kProbeIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kProbesMax);
}

void set_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

UniqueFd open_tcp_listener(const std::string& host, std::uint16_t port) {
  const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
  const std::string name = host + ":" + std::to_string(port);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  const bool is_v4 = ::inet_pton(AF_INET, numeric.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && ::inet_pton(AF_INET6, numeric.c_str(), &v6.sin6_addr) != 1) {
    throw Error(ErrorClass::kInvalidArgument, "listen on " + name + ": not an IP address");
  }
  UniqueFd fd = open_socket(is_v4 ? AF_INET : AF_INET6);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_tcp_options(fd.get());
  if (is_v4) {
    bind_and_listen(fd.get(), reinterpret_cast<const sockaddr*>(&v4), sizeof(v4), name);
  } else {
    bind_and_listen(fd.get(), reinterpret_cast<const sockaddr*>(&v6), sizeof(v6), name);
  }
  return fd;
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) throw system_error(errno, "getsockname");
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

UniqueFd open_unix_listener(const std::string& path, mode_t mode, std::optional<gid_t> group) {
  const sockaddr_un address = unix_address(path);
  remove_stale_socket(path, address);
  UniqueFd fd = open_socket(AF_UNIX);
  // The file is created with the socket's own mode, so that nobody gets in before chmod().
  ::fchmod(fd.get(), 0600);
  bind_and_listen(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address), path);
  if (group && ::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) throw system_error(errno, "chown " + path);
  if (::chmod(path.c_str(), mode) != 0) throw system_error(errno, "chmod " + path);
  return fd;
}

}  // namespace quoll::http
