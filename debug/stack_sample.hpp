// StackSample: where a thread is and what task it runs there, taken in a signal handler or inside of malloc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "debug/native_stack.hpp"
#include "debug/native_symbols.hpp"
#include "debug/place.hpp"

namespace quoll::debug {

inline constexpr std::size_t kSampleAwaitsMax = 24;

// A coroutine that awaits another one is not on the thread's stack, so the running task's chain of awaits is kept
// beside it; whole_stack() puts both together.
struct StackSample {
  NativeStack native;
  std::array<std::source_location, kSampleAwaitsMax> awaits;  // innermost first
  std::size_t await_count = 0;
  std::string_view task;  // its name, of static storage; "" outside of tasks
  std::array<char, 96> route;
  std::size_t route_size = 0;

  std::span<const std::source_location> await_chain() const { return {awaits.data(), await_count}; }
  std::string_view route_text() const { return {route.data(), route_size}; }
};

// Fills in all but `native`, from the task that the calling thread runs. Async-signal-safe.
void note_running_task(StackSample& sample) noexcept;

// One stack, innermost first: what runs natively on top of the innermost coroutine, then the chain of awaits. Outside
// of tasks (`awaits` is empty) the native stack alone. Never empty.
std::vector<const Place*> whole_stack(std::span<const NativeSymbol> native,
                                      std::span<const std::source_location> awaits);

}  // namespace quoll::debug
