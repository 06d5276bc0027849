// The block and mutex profiles: time that tasks have spent in waits, by where they waited (block), and by who kept them
// waiting (mutex: the stack that gave a mutex or semaphore back, as in Go).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "debug/profile.hpp"
#include "debug/value_profile.hpp"
#include "task/runtime.hpp"

namespace quoll::debug {

enum class WaitKind : std::uint8_t { kBlock, kMutex };

const ProfileKind& block_kind();
const ProfileKind& mutex_kind();

// Of all workers; none of them is asked, so a worker that is blocked does not hold them up. The label `state` has what
// was waited for, in the words of the dumps.
ValueProfile wait_profile(task::Runtime& runtime, WaitKind kind);
std::size_t wait_stack_count(task::Runtime& runtime, WaitKind kind);
// debug=1, in Go's form.
std::string wait_text(task::Runtime& runtime, WaitKind kind);

}  // namespace quoll::debug
