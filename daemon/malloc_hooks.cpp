// malloc, calloc, realloc and free of the program that is linked with this: glibc's own, and a countdown to the next
// sample of the heap profile. Each call costs a subtraction and a test; what is sampled costs some microseconds.
//
// Sampled blocks begin at a page, so free() asks for those only. Blocks that are allocated by an alignment
// (posix_memalign and the like) are not sampled, and are freed here as any other.
//
// It is the daemon's: who uses quoll::debug in a program of his own is not made to have another malloc. Sanitizers have
// theirs.
#ifndef QUOLL_SANITIZED
#include <malloc.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "debug/heap_sampler.hpp"

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);
}

namespace {

namespace sampler = quoll::debug::heap_sampler;

// Bytes until this thread's next sample. It begins below 0: the first call finds the first distance.
constinit thread_local std::int64_t bytes_left = -1;
constinit thread_local bool started = false;
constinit thread_local bool sampling = false;

const bool announced = [] {
  sampler::announce_hooks();
  return true;
}();

bool is_due(std::size_t size) { return __builtin_expect((bytes_left -= static_cast<std::int64_t>(size)) < 0, 0); }

bool may_be_sampled(const void* block) {
  return __builtin_expect(reinterpret_cast<std::uintptr_t>(block) % sampler::kSampledAlignment == 0, 0) &&
         block != nullptr;
}

// Null where this allocation is not to be sampled after all.
[[gnu::noinline]] void* allocate_sampled(std::size_t size) {
  if (sampling) return nullptr;
  sampling = true;
  bytes_left = sampler::next_distance();
  void* block = nullptr;
  if (started) {
    const int saved_errno = errno;
    block = __libc_memalign(sampler::kSampledAlignment, size);
    if (block != nullptr) sampler::add(block, size);
    errno = saved_errno;
  }
  started = true;
  sampling = false;
  return block;
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
  if (is_due(size)) {
    if (void* const block = allocate_sampled(size)) return block;
  }
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (!__builtin_mul_overflow(count, size, &bytes) && is_due(bytes)) {
    if (void* const block = allocate_sampled(bytes)) return std::memset(block, 0, bytes);
  }
  return __libc_calloc(count, size);
}

void free(void* block) {
  if (may_be_sampled(block)) sampler::remove(block);
  __libc_free(block);
}

void* realloc(void* block, std::size_t size) {
  if (block == nullptr) return malloc(size);
  if (size != 0 && is_due(size)) {
    if (void* const moved = allocate_sampled(size)) {
      const std::size_t old_size = ::malloc_usable_size(block);
      std::memcpy(moved, block, old_size < size ? old_size : size);
      free(block);
      return moved;
    }
  }
  if (may_be_sampled(block)) sampler::remove(block);
  return __libc_realloc(block, size);
}

}  // extern "C"

#endif
