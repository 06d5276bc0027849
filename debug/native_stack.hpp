// Native stacks: the return addresses of a thread, found by its frame pointers, for CPU and heap profiles and for the
// stack of a thread that is blocked. native_symbols.hpp gives the addresses names.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace quoll::debug {

inline constexpr std::size_t kNativeFramesMax = 64;

// Addresses of one stack, innermost first. The first is the instruction that was interrupted; each other lies inside of
// the call instruction of its frame, so that it belongs to the calling function also where that call is its last
// instruction.
struct NativeStack {
  std::array<std::uintptr_t, kNativeFramesMax> pcs;
  std::size_t depth = 0;

  std::span<const std::uintptr_t> frames() const { return {pcs.data(), depth}; }
};

// Both are async-signal-safe, take no lock and allocate nothing, and need no preparation of the thread. What lies at a
// frame pointer is read through the kernel, so that a register that holds something else ends the stack instead of the
// process. Debian's libraries have no frame pointers: a library's function that was interrupted, or that calls back, is
// followed by the next return address into this program on the stack.
// Limits: the innermost kNativeFramesMax frames.

// Of the interrupted code, in a signal handler; `context` is the handler's third argument.
void unwind_interrupted(const void* context, NativeStack& stack) noexcept;
// Of the calling function, which is the first frame.
void unwind_here(NativeStack& stack) noexcept;

// Runs `function` on another thread of this process (or on the calling one), in a handler of SIGURG, which no program
// minds (its default is to be ignored); the thread's system call is restarted where Linux does so. `function` must be
// async-signal-safe and short, and gets the interrupted context. False, and `function` has not run and will not, where
// the thread has ended, or does not take signals within `bound` (it is stopped or in an uninterruptible call). Thread:
// any; callers take turns.
using ThreadFunction = void (*)(void* argument, const void* context) noexcept;
bool call_on_thread(pid_t thread_id, std::chrono::milliseconds bound, ThreadFunction function, void* argument) noexcept;

// The stack of another thread of this process, or of the calling one, which is interrupted for some microseconds.
// Nothing where call_on_thread() is false. Thread: any; callers take turns. Blocks the caller for up to `bound`, so
// give it some milliseconds on a worker.
std::optional<NativeStack> stack_of_thread(pid_t thread_id, std::chrono::milliseconds bound) noexcept;

}  // namespace quoll::debug
