// Container ids: 64 lower-case hex digits from the kernel's random source.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quoll::mgr {

inline constexpr size_t kContainerIdLength = 64;

// A new random id. Its short form is never all digits, since a program that reads it (a host name, a YAML value) would
// take it for a number.
//
// Thread: any.
// Errors: kInternal if the kernel has no random bytes to give.
std::string new_container_id();

// Whether `text` is a whole id: 64 lower-case hex digits.
bool is_container_id(std::string_view text);

// A random number below `bound`, for choices that need not be secret but must differ between daemons.
//
// REQUIRES: bound > 0.
uint32_t random_below(uint32_t bound);

}  // namespace quoll::mgr
