// The hooks as the whole program has them: what is allocated here is in the heap profile, and what is freed is not.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "debug/heap_sampler.hpp"

#ifndef QUOLL_SANITIZED
namespace quoll::debug {
namespace {

constexpr std::size_t kInuseObjects = 2;
constexpr std::size_t kInuseSpace = 3;

// The value of all stacks that have the function.
std::int64_t value_of(std::string_view function, std::size_t value) {
  std::int64_t sum = 0;
  for (const ValueSample& sample : heap_profile().sorted()) {
    const auto named = [&](const Place* place) { return place->function.ends_with(function); };
    if (std::any_of(sample.stack.begin(), sample.stack.end(), named)) sum += sample.values[value];
  }
  return sum;
}

[[clang::noinline]] static std::vector<void*> allocate_for_the_test(std::size_t count, std::size_t size) {
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < count; ++i) blocks.push_back(std::malloc(size));
  return blocks;
}

TEST(malloc_hooks, what_is_in_use_is_estimated_and_what_was_freed_is_gone) {
  ASSERT_TRUE(heap_is_sampled());
  constexpr std::size_t kCount = 100'000, kSize = 1000;  // about 190 samples
  std::vector<void*> blocks = allocate_for_the_test(kCount, kSize);
  EXPECT_NEAR(value_of("allocate_for_the_test", kInuseSpace), 1e8, 4e7);
  EXPECT_NEAR(value_of("allocate_for_the_test", kInuseObjects), 1e5, 4e4);
  for (std::size_t i = 0; i < kCount; i += 2) std::free(std::exchange(blocks[i], nullptr));
  EXPECT_NEAR(value_of("allocate_for_the_test", kInuseSpace), 5e7, 3e7);
  for (void* block : blocks) std::free(block);
  EXPECT_LT(value_of("allocate_for_the_test", kInuseSpace), 1e7);  // the vector may stay
  EXPECT_GT(value_of("allocate_for_the_test", 1), 6e7) << "what was allocated stays counted";
}

[[clang::noinline]] static char* resize_for_the_test(char* block, std::size_t size) {
  block = static_cast<char*>(std::realloc(block, size));
  asm volatile("" ::"r"(block) : "memory");
  return block;
}

TEST(malloc_hooks, blocks_keep_their_bytes_through_sampled_resizing) {
  char* block = nullptr;
  std::size_t filled = 0;
  for (std::size_t size = 1; size < 3'000'000; size = size * 5 / 4 + 1) {
    block = resize_for_the_test(block, size);
    for (std::size_t i = 0; i < filled; i += 97) ASSERT_EQ(block[i], static_cast<char>(i));
    for (; filled < size; ++filled) block[filled] = static_cast<char>(filled);
  }
  for (std::size_t size = 3'000'000; size > 10; size /= 2) {
    block = resize_for_the_test(block, size);
    for (std::size_t i = 0; i < std::min(size, filled); i += 97) ASSERT_EQ(block[i], static_cast<char>(i));
  }
  std::free(block);
  EXPECT_EQ(value_of("resize_for_the_test", kInuseSpace), 0);
}

TEST(malloc_hooks, calloc_gives_zeros_and_refuses_what_is_too_large) {
  for (int i = 0; i < 200; ++i) {
    auto* const block = static_cast<unsigned char*>(std::calloc(100, 1000));
    ASSERT_TRUE(std::all_of(block, block + 100'000, [](unsigned char byte) { return byte == 0; }));
    std::memset(block, 0xff, 100'000);
    std::free(block);
  }
  volatile std::size_t huge = SIZE_MAX / 2;
  EXPECT_EQ(std::calloc(huge, 3), nullptr);
  EXPECT_EQ(std::malloc(huge), nullptr);
}

TEST(malloc_hooks, threads_allocate_and_free_each_others_blocks_while_profiles_are_taken) {
  std::vector<std::vector<void*>> blocks(4);
  std::vector<std::thread> threads;
  for (auto& mine : blocks) threads.emplace_back([&mine] { mine = allocate_for_the_test(20'000, 3000); });
  for (int i = 0; i < 5; ++i) heap_text();
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&theirs = blocks[(i + 1) % 4]] {
      for (void* block : theirs) std::free(block);
    });
  }
  for (std::thread& thread : threads) thread.join();
  blocks = {};  // the vectors were allocated there too
  EXPECT_EQ(value_of("allocate_for_the_test", kInuseObjects), 0);
}

}  // namespace
}  // namespace quoll::debug
#endif
