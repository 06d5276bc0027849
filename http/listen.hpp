// Sockets that listen.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "task/unique_fd.hpp"

namespace quoll::http {

// `host`: an IP address, or "localhost" for 127.0.0.1. Errors: Error as system_error() makes it; kInvalidArgument for a
// host that is neither; kAlreadyExists for a port that is taken.
UniqueFd open_tcp_listener(const std::string& host, std::uint16_t port);
std::uint16_t bound_port(int fd);
// Replaces a socket file that nobody listens on. Errors: kAlreadyExists where somebody does, or where the path is
// no socket.
UniqueFd open_unix_listener(const std::string& path, mode_t mode, std::optional<gid_t> group);
// What accepted sockets inherit: no Nagle, and probes that find a dead peer. Of no effect on UNIX sockets.
void set_tcp_options(int fd);
void set_nonblocking(int fd);

}  // namespace quoll::http
