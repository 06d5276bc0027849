#include "debug/place.hpp"

#include <bit>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "debug/symbol.hpp"

namespace quoll::debug {
namespace {

constexpr std::uint64_t kFirstPc = 0x400000;
constexpr std::uint64_t kFunctionSpan = 0x10000;
constexpr std::uint64_t kPlaceSpan = 0x10;
static_assert(sizeof(std::source_location) == sizeof(void*), "the cache keys on the address it holds");

const void* key_of(const std::source_location& location) { return std::bit_cast<const void*>(location); }

// Thread: any.
class PlaceTable {
 public:
  const Place& intern(const std::source_location& location) {
    std::string file = location.file_name();
    if (file.empty()) file = "unknown";
    return intern(clean_function_name(location.function_name()), std::move(file), location.line());
  }

  // A line of 0 is a native function's.
  const Place& intern(std::string function, std::string file, std::uint32_t line) {
    std::lock_guard lock(mutex_);
    const std::string function_key = function + '\0' + file;
    const auto [known_function, new_function] =
        functions_.try_emplace(function_key, Function{static_cast<std::uint32_t>(functions_.size()), 0});
    if (new_function) names_.push_back(function);
    const auto [known, added] = places_.try_emplace(function_key + '\0' + std::to_string(line), nullptr);
    if (added) {
      known->second = &add(std::move(function), std::move(file), line, known_function->second);
    }
    return *known->second;
  }

  std::optional<std::string> resolve(std::uint64_t pc) {
    std::lock_guard lock(mutex_);
    if (pc < kFirstPc || (pc - kFirstPc) / kFunctionSpan >= names_.size()) return std::nullopt;
    return names_[(pc - kFirstPc) / kFunctionSpan];
  }

 private:
  struct Function {
    std::uint32_t index;
    std::uint32_t places;
  };

  const Place& add(std::string function, std::string file, std::uint32_t line, Function& owner) {
    Place& place = storage_.emplace_back();
    place.function = std::move(function);
    place.file = std::move(file);
    place.line = line;
    place.index = static_cast<std::uint32_t>(storage_.size() - 1);
    place.function_index = owner.index;
    ++owner.places;
    place.offset = std::min(owner.places * kPlaceSpan, kFunctionSpan - kPlaceSpan);
    place.pc = kFirstPc + owner.index * kFunctionSpan + place.offset;
    if (line == 0) return place;
    // A file that Go's readers take as it is needs no suffix.
    const std::string real_name = "\n\t" + place.file;
    const std::string suffix = ":" + std::to_string(line) + "\n";
    place.origin_text[static_cast<int>(FileNames::kReal)] = real_name + suffix;
    place.origin_text[static_cast<int>(FileNames::kGo)] = real_name + "#.go" + suffix;
    for (int names = 0; names < 2; ++names) {
      place.frame_text[names] = place.function + "(...)" + place.origin_text[names];
    }
    return place;
  }

  std::mutex mutex_;
  std::unordered_map<std::string, Function> functions_;  // guarded by mutex_, as all below
  std::unordered_map<std::string, const Place*> places_;
  std::vector<std::string> names_;  // by function index
  std::deque<Place> storage_;       // places stay
};

PlaceTable& table() {
  // Never destroyed: worker threads may still dump while the process ends.
  static PlaceTable& instance = *new PlaceTable;
  return instance;
}

// Open addressing by the location's address. Thread: its own only.
class PlaceCache {
 public:
  const Place& find(const std::source_location& location) {
    const void* const key = key_of(location);
    std::size_t slot = slot_of(key);
    while (entries_[slot].key != key) {
      if (entries_[slot].place == nullptr) return insert(location);
      slot = (slot + 1) & (entries_.size() - 1);
    }
    return entries_[slot].place != nullptr ? *entries_[slot].place : insert(location);
  }

 private:
  struct Entry {
    const void* key = nullptr;
    const Place* place = nullptr;
  };

  std::size_t slot_of(const void* key) const {
    const auto bits = reinterpret_cast<std::uintptr_t>(key);
    return ((bits >> 3) * 0x9E3779B97F4A7C15ull >> 32) & (entries_.size() - 1);
  }
  void put(Entry entry) {
    std::size_t slot = slot_of(entry.key);
    while (entries_[slot].place != nullptr) slot = (slot + 1) & (entries_.size() - 1);
    entries_[slot] = entry;
  }
  const Place& insert(const std::source_location& location) {
    const Place& place = table().intern(location);
    if (++used_ * 2 > entries_.size()) {
      std::vector<Entry> old(entries_.size() * 2);
      old.swap(entries_);
      for (const Entry& entry : old) {
        if (entry.place != nullptr) put(entry);
      }
    }
    put({key_of(location), &place});
    return place;
  }

  std::vector<Entry> entries_ = std::vector<Entry>(256);
  std::size_t used_ = 0;
};

}  // namespace

const Place& place_of(const std::source_location& location) {
  thread_local PlaceCache cache;
  return cache.find(location);
}

const Place& native_place(const std::string& function, const std::string& module) {
  return table().intern(function, module, 0);
}

std::optional<std::string> resolve_pc(std::uint64_t pc) { return table().resolve(pc); }

}  // namespace quoll::debug
