#include "debug/heap_sampler.hpp"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include "debug/heap_table.hpp"
#include "task/clock.hpp"

namespace quoll::debug {
namespace {

constinit HeapTable table;
constinit std::atomic<bool> hooks_present{false};
constinit std::atomic<std::int64_t> sample_bytes{kHeapSampleBytes};

// The kinds' values, in this order.
enum Value : std::size_t { kAllocObjects, kAllocSpace, kInuseObjects, kInuseSpace };

ProfileKind make_kind(std::string_view name, std::string_view default_value) {
  return {name,
          {{"alloc_objects", "count"}, {"alloc_space", "bytes"}, {"inuse_objects", "count"}, {"inuse_space", "bytes"}},
          {"space", "bytes"},
          kHeapSampleBytes,
          default_value};
}

// The ways into the sampler; whoever called them has allocated.
bool is_of_the_allocator(const NativeSymbol& symbol) {
  constexpr std::array<std::string_view, 8> kNames{"quoll::debug::heap_sampler::add",
                                                   "allocate_sampled",
                                                   "malloc",
                                                   "calloc",
                                                   "realloc",
                                                   "operator new",
                                                   "operator new[]",
                                                   "[libstdc++.so.6]"};
  return std::find(kNames.begin(), kNames.end(), symbol.function) != kNames.end();
}

std::span<const NativeSymbol> without_allocator(std::span<const NativeSymbol> stack) {
  while (!stack.empty() && is_of_the_allocator(stack.front())) stack = stack.subspan(1);
  return stack;
}

struct NamedStack {
  HeapTable::Copy copy;
  std::vector<const Place*> places;
};

std::vector<NamedStack> named_stacks() {
  std::vector<HeapTable::Copy> copies(table.stack_count() + 16);
  copies.resize(std::min(table.copy(copies), copies.size()));
  std::vector<std::uintptr_t> pcs;
  for (const auto& copy : copies) pcs.insert(pcs.end(), copy.stack->pcs().begin(), copy.stack->pcs().end());
  const std::vector<NativeSymbol> symbols = symbolize_native(pcs);
  std::span<const NativeSymbol> rest = symbols;
  std::vector<NamedStack> stacks;
  for (const auto& copy : copies) {
    std::vector<std::source_location> awaits;
    for (const std::uintptr_t word : copy.stack->awaits()) awaits.push_back(std::bit_cast<std::source_location>(word));
    stacks.push_back({copy, whole_stack(without_allocator(rest.first(copy.stack->pc_count)), awaits)});
    rest = rest.subspan(copy.stack->pc_count);
  }
  return stacks;
}

template <typename F>
ValueProfile make_profile(F values_of) {
  ValueProfile profile;
  for (NamedStack& stack : named_stacks()) profile.add({std::move(stack.places), {}, values_of(stack.copy)});
  return profile;
}

// "inuse objects: bytes [allocated objects: bytes]"
std::string count_text(const std::vector<std::int64_t>& values) {
  return std::to_string(values[kInuseObjects]) + ": " + std::to_string(values[kInuseSpace]) + " [" +
         std::to_string(values[kAllocObjects]) + ": " + std::to_string(values[kAllocSpace]) + "]";
}

std::string malloc_text() {
  const struct mallinfo2 info = ::mallinfo2();
  const auto line = [](std::string_view name, std::size_t value) {
    return "# " + std::string(name) + " = " + std::to_string(value) + "\n";
  };
  return "# malloc\n" + line("Alloc", info.uordblks + info.hblkhd) + line("HeapSys", info.arena + info.hblkhd) +
         line("HeapInuse", info.uordblks) + line("HeapIdle", info.fordblks) + line("Mmapped", info.hblkhd);
}

// The chance of a sample in each byte makes that of an allocation.
double stands_for(std::size_t size, std::int64_t distance) {
  return 1.0 / (1.0 - std::exp(-static_cast<double>(size) / static_cast<double>(distance)));
}

}  // namespace

const ProfileKind& heap_kind() {
  static const ProfileKind kind = make_kind("heap", "inuse_space");
  return kind;
}

const ProfileKind& allocs_kind() {
  static const ProfileKind kind = make_kind("allocs", "alloc_space");
  return kind;
}

bool heap_is_sampled() { return hooks_present.load(std::memory_order_relaxed); }
void set_heap_sample_bytes(std::int64_t bytes) { sample_bytes.store(bytes, std::memory_order_relaxed); }
std::size_t heap_stack_count() { return table.stack_count(); }

ValueProfile heap_profile() {
  return make_profile([](const HeapTable::Copy& copy) {
    const HeapCounts& all = copy.allocated;
    return std::vector<std::int64_t>{all.scaled_objects, all.scaled_bytes,
                                     all.scaled_objects - copy.freed.scaled_objects,
                                     all.scaled_bytes - copy.freed.scaled_bytes};
  });
}

std::string heap_text() {
  const ValueProfile profile = make_profile([](const HeapTable::Copy& copy) {
    const HeapCounts& all = copy.allocated;
    return std::vector<std::int64_t>{all.objects, all.bytes, all.objects - copy.freed.objects,
                                     all.bytes - copy.freed.bytes};
  });
  std::vector<std::int64_t> totals;
  for (const Value value : {kAllocObjects, kAllocSpace, kInuseObjects, kInuseSpace})
    totals.push_back(profile.total(value));
  // Go writes twice the distance, and readers halve it.
  std::string head = "heap profile: " + count_text(totals) + " @ heap/" + std::to_string(2 * kHeapSampleBytes) + "\n";
  return legacy_text(
             std::move(head), [](const ValueSample& sample) { return count_text(sample.values); }, profile) +
         malloc_text();
}

namespace heap_sampler {

void announce_hooks() { hooks_present.store(true, std::memory_order_relaxed); }

std::int64_t next_distance() noexcept {
  const std::int64_t mean = sample_bytes.load(std::memory_order_relaxed);
  if (mean <= 0) return std::numeric_limits<std::int64_t>::max();
  // Exponentially distributed, so that no pattern of allocations can hide between the samples.
  thread_local constinit std::uint64_t state = 0;
  if (state == 0) state = reinterpret_cast<std::uintptr_t>(&state) ^ static_cast<std::uint64_t>(task::precise_now_ns());
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  const double uniform = (static_cast<double>(state >> 11) + 1.0) / 9007199254740993.0;
  return 1 + static_cast<std::int64_t>(-std::log(uniform) * static_cast<double>(mean));
}

void add(void* block, std::size_t size) noexcept {
  const std::int64_t mean = sample_bytes.load(std::memory_order_relaxed);
  if (mean <= 0) return;
  StackSample sample;
  unwind_here(sample.native);
  note_running_task(sample);
  const double weight = stands_for(std::max<std::size_t>(size, 1), mean);
  const auto bytes = static_cast<std::int64_t>(size);
  table.add(block, {1, bytes, std::llround(weight), std::llround(weight * static_cast<double>(size))}, sample);
}

void remove(void* block) noexcept { table.remove(block); }

}  // namespace heap_sampler

}  // namespace quoll::debug
