// The heap profile: of the memory that the process allocates, one allocation in each 512 KiB or so is noted with its
// stack until it is freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "debug/profile.hpp"
#include "debug/value_profile.hpp"

namespace quoll::debug {

// Go's default. An allocation is sampled with a probability that grows with its size, so that every byte has the same
// chance; counts are scaled back by it.
inline constexpr std::int64_t kHeapSampleBytes = 512 * 1024;

// `heap` shows first what is in use, `allocs` what has been allocated since the start; both have both.
const ProfileKind& heap_kind();
const ProfileKind& allocs_kind();

// True where the program has daemon/malloc_hooks.cpp, which does the sampling. A user of this library is not made to.
bool heap_is_sampled();
// Mean distance of samples; 0 turns sampling off. For the start of a program, and for measuring what sampling costs.
void set_heap_sample_bytes(std::int64_t bytes);

// With names; takes some milliseconds: see symbolize_native(). How many stacks there are, without.
ValueProfile heap_profile();
std::size_t heap_stack_count();
// The debug=1 text, in Go's form: counts as they were sampled (pprof scales them), and what malloc says of itself.
std::string heap_text();

// For the hooks only. None of them allocates by malloc.
namespace heap_sampler {

// A sampled block begins at a page, which others hardly ever do: so free() tells most blocks by their address alone.
inline constexpr std::size_t kSampledAlignment = 4096;

void announce_hooks();
// How many bytes this thread allocates until its next sample.
std::int64_t next_distance() noexcept;
void add(void* block, std::size_t size) noexcept;
void remove(void* block) noexcept;

}  // namespace heap_sampler

}  // namespace quoll::debug
