// HeapTable: sampled stacks with their counts, and the sampled blocks that are in use. In memory of its own, because it
// is used inside of malloc.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <source_location>
#include <span>

#include "debug/stack_sample.hpp"

namespace quoll::debug {

struct HeapCounts {
  std::int64_t objects = 0;
  std::int64_t bytes = 0;
  // The same, scaled to what they stand for.
  std::int64_t scaled_objects = 0;
  std::int64_t scaled_bytes = 0;

  void add(const HeapCounts& other, std::int64_t sign = 1) {
    objects += sign * other.objects;
    bytes += sign * other.bytes;
    scaled_objects += sign * other.scaled_objects;
    scaled_bytes += sign * other.scaled_bytes;
  }
};

// One stack. Never freed: there are as many as places that allocate.
struct HeapStack {
  HeapStack* next_of_hash = nullptr;
  HeapStack* next = nullptr;
  std::uint64_t hash = 0;
  HeapCounts allocated;
  HeapCounts freed;
  std::uint16_t pc_count = 0;
  std::uint16_t await_count = 0;

  // Behind the object: pcs, then the awaits' locations.
  std::uintptr_t* words() { return reinterpret_cast<std::uintptr_t*>(this + 1); }
  const std::uintptr_t* words() const { return reinterpret_cast<const std::uintptr_t*>(this + 1); }
  std::span<const std::uintptr_t> pcs() const { return {words(), pc_count}; }
  std::span<const std::uintptr_t> awaits() const { return {words() + pc_count, await_count}; }
};

// Limits: kStacksMax stacks; what comes behind them is counted under one that is empty.
// Thread: any.
class HeapTable {
 public:
  static constexpr std::size_t kStacksMax = 8192;

  void add(void* block, const HeapCounts& counts, const StackSample& stack) noexcept;
  void remove(void* block) noexcept;
  std::size_t stack_count() const;

  // Calls visit(stack) for each; it must not allocate more than the hooks' countdown lets pass unseen, so it copies
  // into memory that is there already. See copy().
  struct Copy {
    HeapCounts allocated;
    HeapCounts freed;
    const HeapStack* stack = nullptr;  // its pcs and awaits never change
  };
  // Copies up to copies.size() stacks; returns how many there are.
  std::size_t copy(std::span<Copy> copies) const;

 private:
  struct LiveBlock {
    void* block = nullptr;
    HeapStack* stack = nullptr;
    HeapCounts counts;
  };
  static constexpr std::size_t kBuckets = 1024;
  static constexpr std::size_t kBlocksAtFirst = 256;
  static constexpr std::size_t kPresentCounts = 1021;

  HeapStack* stack_of(const StackSample& sample);
  HeapStack* make_stack(std::uint64_t hash, std::span<const std::uintptr_t> pcs,
                        std::span<const std::uintptr_t> awaits);
  std::size_t slot_of(const void* block) const;
  bool grow_blocks();
  void put(const LiveBlock& block);
  std::atomic<std::uint32_t>& present(const void* block) {
    return present_[(reinterpret_cast<std::uintptr_t>(block) >> 12) % kPresentCounts];
  }

  mutable std::mutex mutex_;  // guards all below
  HeapStack* buckets_[kBuckets]{};
  HeapStack* first_ = nullptr;
  HeapStack* overflow_ = nullptr;
  std::size_t stacks_ = 0;
  LiveBlock* blocks_ = nullptr;  // open addressing; a power of two
  std::size_t capacity_ = 0;
  std::size_t live_ = 0;

  // How many blocks of each hash are in the table: a block that lies at a page by chance, and is freed again and again,
  // is told without the mutex. Not guarded: whoever frees a block has been handed it by whoever allocated it.
  std::atomic<std::uint32_t> present_[kPresentCounts]{};
};

}  // namespace quoll::debug
