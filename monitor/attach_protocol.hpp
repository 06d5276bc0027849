// What quolld and a monitor say to each other over the socket `attach` of a container, and over an exec's own socket.
//
// The client sends one byte of AttachFlag, then what is meant for standard input, up to its end of sending. Back come
// the process's output as it is written, and the end of the stream when that has ended. Output of a terminal, and what
// kAttachRaw asks for, comes as it is; all other is in Docker's frames: [stream, 0, 0, 0, length as 4 bytes, big
// endian].
#pragma once

#include <cstdint>

namespace quoll::monitor {

enum AttachFlag : std::uint8_t {
  kAttachStdin = 1,
  kAttachStdout = 2,
  kAttachStderr = 4,
  kAttachClosesStdin = 8,  // the end of the client's sending is the end of standard input; a terminal has none
  kAttachRaw = 16,
};

// Numbers of descriptors that a monitor is started with.
inline constexpr int kStatusFd = 3;
inline constexpr int kFirstClientFd = 4;  // with --client

}  // namespace quoll::monitor
