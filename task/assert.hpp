// Assertions for our own mistakes; kept in release builds. Never for peers, disks, children or users.
#pragma once

namespace quoll::task {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}

#define QUOLL_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::quoll::task::assertion_failed(#condition, __FILE__, __LINE__))
