#include "debug/heap_table.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>

namespace quoll::debug {
namespace {

void* map_pages(std::size_t bytes) {
  void* const start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return start == MAP_FAILED ? nullptr : start;
}

// Memory that is never given back, in pieces of 64 KiB. REQUIRES: the table's mutex.
void* allocate_for_good(std::size_t bytes) {
  static constinit char* next = nullptr;
  static constinit std::size_t left = 0;
  constexpr std::size_t kPiece = 64 * 1024;
  if (bytes > left) {
    next = static_cast<char*>(map_pages(kPiece));
    left = next != nullptr ? kPiece : 0;
    if (next == nullptr || bytes > left) return nullptr;
  }
  left -= bytes;
  return std::exchange(next, next + bytes);
}

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
  return hash ^ (hash >> 29);
}

}  // namespace

void HeapTable::add(void* block, const HeapCounts& counts, const StackSample& sample) noexcept {
  std::lock_guard lock(mutex_);
  HeapStack* const stack = stack_of(sample);
  if (stack == nullptr) return;
  if (2 * (live_ + 1) > capacity_ && !grow_blocks()) return;
  stack->allocated.add(counts);
  put({block, stack, counts});
  ++live_;
  present(block).fetch_add(1, std::memory_order_relaxed);
}

void HeapTable::remove(void* block) noexcept {
  if (present(block).load(std::memory_order_relaxed) == 0) return;
  std::lock_guard lock(mutex_);
  if (live_ == 0) return;
  std::size_t slot = slot_of(block);
  while (blocks_[slot].block != block) {
    if (blocks_[slot].block == nullptr) return;
    slot = (slot + 1) & (capacity_ - 1);
  }
  blocks_[slot].stack->freed.add(blocks_[slot].counts);
  blocks_[slot] = {};
  --live_;
  present(block).fetch_sub(1, std::memory_order_relaxed);
  // What stands behind it may have been put there because this place was taken.
  for (slot = (slot + 1) & (capacity_ - 1); blocks_[slot].block != nullptr; slot = (slot + 1) & (capacity_ - 1)) {
    put(std::exchange(blocks_[slot], {}));
  }
}

std::size_t HeapTable::stack_count() const {
  std::lock_guard lock(mutex_);
  return stacks_;
}

std::size_t HeapTable::copy(std::span<Copy> copies) const {
  std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const HeapStack* stack = first_; stack != nullptr && count < copies.size(); stack = stack->next) {
    copies[count++] = {stack->allocated, stack->freed, stack};
  }
  return stacks_;
}

HeapStack* HeapTable::stack_of(const StackSample& sample) {
  const std::span<const std::uintptr_t> pcs = sample.native.frames();
  std::array<std::uintptr_t, kSampleAwaitsMax> await_words;
  const auto locations = sample.await_chain();
  std::transform(locations.begin(), locations.end(), await_words.begin(),
                 [](const std::source_location& at) { return std::bit_cast<std::uintptr_t>(at); });
  const std::span<const std::uintptr_t> awaits(await_words.data(), locations.size());
  std::uint64_t hash = pcs.size();
  for (const std::uintptr_t word : pcs) hash = mix(hash, word);
  for (const std::uintptr_t word : awaits) hash = mix(hash, word);
  for (HeapStack* stack = buckets_[hash % kBuckets]; stack != nullptr; stack = stack->next_of_hash) {
    if (stack->hash == hash && std::ranges::equal(stack->pcs(), pcs) && std::ranges::equal(stack->awaits(), awaits)) {
      return stack;
    }
  }
  if (stacks_ < kStacksMax) return make_stack(hash, pcs, awaits);
  if (overflow_ == nullptr) overflow_ = make_stack(0, {}, {});
  return overflow_;
}

HeapStack* HeapTable::make_stack(std::uint64_t hash, std::span<const std::uintptr_t> pcs,
                                 std::span<const std::uintptr_t> awaits) {
  const std::size_t words = pcs.size() + awaits.size();
  void* const memory = allocate_for_good(sizeof(HeapStack) + words * sizeof(std::uintptr_t));
  if (memory == nullptr) return nullptr;
  auto* const stack = new (memory) HeapStack;
  stack->hash = hash;
  stack->pc_count = static_cast<std::uint16_t>(pcs.size());
  stack->await_count = static_cast<std::uint16_t>(awaits.size());
  std::ranges::copy(pcs, stack->words());
  std::ranges::copy(awaits, stack->words() + pcs.size());
  stack->next_of_hash = std::exchange(buckets_[hash % kBuckets], stack);
  stack->next = std::exchange(first_, stack);
  ++stacks_;
  return stack;
}

std::size_t HeapTable::slot_of(const void* block) const {
  return mix(0, reinterpret_cast<std::uintptr_t>(block) >> 12) & (capacity_ - 1);
}

bool HeapTable::grow_blocks() {
  const std::size_t capacity = capacity_ == 0 ? kBlocksAtFirst : capacity_ * 2;
  auto* const blocks = static_cast<LiveBlock*>(map_pages(capacity * sizeof(LiveBlock)));
  if (blocks == nullptr) return false;
  LiveBlock* const old = std::exchange(blocks_, blocks);
  const std::size_t old_capacity = std::exchange(capacity_, capacity);
  for (std::size_t i = 0; i < old_capacity; ++i) {
    if (old[i].block != nullptr) put(old[i]);
  }
  if (old != nullptr) ::munmap(old, old_capacity * sizeof(LiveBlock));
  return true;
}

void HeapTable::put(const LiveBlock& block) {
  std::size_t slot = slot_of(block.block);
  while (blocks_[slot].block != nullptr) slot = (slot + 1) & (capacity_ - 1);
  blocks_[slot] = block;
}

}  // namespace quoll::debug
