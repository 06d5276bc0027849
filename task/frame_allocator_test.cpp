#include "task/frame_allocator.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace quoll::task {
namespace {

struct Block {
  unsigned char* bytes;
  std::size_t size;
  unsigned char mark;
};

void check_and_free(const Block& block) {
  for (std::size_t i = 0; i < block.size; ++i) ASSERT_EQ(block.bytes[i], block.mark);
  FrameAllocator::deallocate(block.bytes, block.size);
}

// Method: blocks of all sizes come and go at random; each is filled whole and must keep what it was filled with.
TEST(frame_allocator, blocks_of_all_sizes_do_not_overlap_as_they_are_reused) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  std::vector<Block> blocks;
  for (int step = 0; step < 50'000; ++step) {
    if (blocks.size() < 200 && random() % 2 == 0) {
      const std::size_t size = 1 + random() % 2500;
      auto* const bytes = static_cast<unsigned char*>(FrameAllocator::allocate(size));
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(bytes) % __STDCPP_DEFAULT_NEW_ALIGNMENT__, 0u);
      const auto mark = static_cast<unsigned char>(random());
      std::memset(bytes, mark, size);
      blocks.push_back({bytes, size, mark});
    } else if (!blocks.empty()) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      check_and_free(blocks.back());
      blocks.pop_back();
    }
  }
  for (const Block& block : blocks) check_and_free(block);
}

}  // namespace
}  // namespace quoll::task
