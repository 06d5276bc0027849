#include "task/wait_table.hpp"

#include <algorithm>
#include <bit>

namespace quoll::task {
namespace {

std::uint64_t word_of(const std::source_location& location) { return std::bit_cast<std::uint64_t>(location); }

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
  return hash ^ (hash >> 29);
}

}  // namespace

void WaitTable::add(TaskState state, const Frame* innermost, std::int64_t nanoseconds) noexcept {
  const Key key = key_of(state, innermost);
  std::lock_guard lock(mutex_);
  try {
    WaitStack& stack = find(key);
    ++stack.count;
    stack.nanoseconds += nanoseconds;
  } catch (const std::bad_alloc&) {
    // A sample less is better than a task that cannot go on.
  }
}

std::vector<WaitStack> WaitTable::copy() const {
  std::lock_guard lock(mutex_);
  return stacks_;
}

std::size_t WaitTable::size() const {
  std::lock_guard lock(mutex_);
  return stacks_.empty() ? 0 : stacks_.size() - 1;
}

WaitTable::Key WaitTable::key_of(TaskState state, const Frame* innermost) {
  Key key;
  key.state = state;
  key.hash = static_cast<std::uint64_t>(state);
  for (const Frame* frame = innermost; frame != nullptr && key.depth < kWaitFramesMax; frame = frame->caller) {
    key.places[key.depth++] = frame->at;
    key.hash = mix(key.hash, word_of(frame->at));
  }
  return key;
}

WaitStack& WaitTable::find(const Key& key) {
  if (stacks_.empty()) {
    stacks_.emplace_back();
    hashes_.push_back(0);
  }
  if (stacks_.size() * 2 > index_.size()) grow_index();
  const std::size_t mask = index_.size() - 1;
  std::size_t slot = key.hash & mask;
  for (; index_[slot] != 0; slot = (slot + 1) & mask) {
    WaitStack& stack = stacks_[index_[slot]];
    const auto same = [](const auto& a, const auto& b) { return word_of(a) == word_of(b); };
    if (hashes_[index_[slot]] == key.hash && stack.state == key.state && stack.depth == key.depth &&
        std::equal(key.places.begin(), key.places.begin() + static_cast<std::ptrdiff_t>(key.depth),
                   stack.places.begin(), same)) {
      return stack;
    }
  }
  if (stacks_.size() > kStacksMax) return stacks_.front();
  hashes_.push_back(key.hash);
  stacks_.push_back({key.places, static_cast<std::uint8_t>(key.depth), key.state, 0, 0});
  index_[slot] = static_cast<std::uint32_t>(stacks_.size() - 1);
  return stacks_.back();
}

void WaitTable::grow_index() {
  index_.assign(std::max<std::size_t>(64, index_.size() * 2), 0);
  const std::size_t mask = index_.size() - 1;
  for (std::uint32_t i = 1; i < stacks_.size(); ++i) {
    std::size_t slot = hashes_[i] & mask;
    while (index_[slot] != 0) slot = (slot + 1) & mask;
    index_[slot] = i;
  }
}

}  // namespace quoll::task
