#include "api/list_cache.hpp"

namespace quoll::api {

std::shared_ptr<const std::string> ListCache::find(std::string_view query, std::uint64_t generation,
                                                   std::int64_t second) const {
  std::lock_guard lock(mutex_);
  if (generation != generation_ || second != second_) return nullptr;
  const auto found = answers_.find(query);
  return found != answers_.end() ? found->second : nullptr;
}

void ListCache::keep(std::string_view query, std::uint64_t generation, std::int64_t second,
                     std::shared_ptr<const std::string> answer) {
  std::lock_guard lock(mutex_);
  if (generation != generation_ || second != second_ || answers_.size() >= kEntriesMax) answers_.clear();
  generation_ = generation;
  second_ = second;
  answers_.insert_or_assign(std::string(query), std::move(answer));
}

}  // namespace quoll::api
