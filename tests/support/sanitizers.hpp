// What the sanitizers change for tests of stacks, samples and memory.
#pragma once

namespace quoll::test {

// Its interceptors keep no frame pointer, so the caller of an intercepted call (a sleep) is missing from a native
// stack; and it hands signals on later than the kernel sends them, so a profiler gets fewer.
#if __has_feature(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

// Their allocators tell libc's statistics nothing.
#ifdef QUOLL_SANITIZED
inline constexpr bool kOwnAllocator = true;
#else
inline constexpr bool kOwnAllocator = false;
#endif

}  // namespace quoll::test
