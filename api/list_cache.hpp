// Answers of GET /containers/json that are still true.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace quoll::api {

// An answer holds for as long as no container changes, and within one second, since it has "Up 5 seconds" in it.
// Thread: any. Limits: kEntriesMax different queries.
class ListCache {
 public:
  static constexpr std::size_t kEntriesMax = 64;

  std::shared_ptr<const std::string> find(std::string_view query, std::uint64_t generation, std::int64_t second) const;
  void keep(std::string_view query, std::uint64_t generation, std::int64_t second,
            std::shared_ptr<const std::string> answer);

 private:
  mutable std::mutex mutex_;
  std::uint64_t generation_ = 0;  // guarded by mutex_, as all below
  std::int64_t second_ = 0;
  std::map<std::string, std::shared_ptr<const std::string>, std::less<>> answers_;
};

}  // namespace quoll::api
