// Which containers a list has: the filters and bounds of one request.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "api/filters.hpp"
#include "api/handlers.hpp"

namespace quoll::mgr {
class ImageStore;
struct ContainerSnapshot;
}  // namespace quoll::mgr

namespace quoll::api {

// Errors: the constructor's kInvalidArgument for filters and values that Docker does not know, kNotFound for a
// container of `before` or `since` that is not there.
class ContainerSelection {
 public:
  ContainerSelection(Api& api, const Request& request);

  // Whether find_images() is to be called before has().
  bool needs_images() const { return filters_.has("ancestor"); }
  // Blocks.
  void find_images(const mgr::ImageStore& store);

  bool has(const mgr::ContainerSnapshot& container) const;
  bool full(std::size_t count) const { return limit_ > 0 && count >= static_cast<std::size_t>(limit_); }

 private:
  std::optional<std::int64_t> created_ns(const Api& api, const Request& request, const char* key) const;

  const Filters filters_;
  const int limit_;
  const bool all_;
  bool is_task_ = false;  // of a swarm, which there is none of
  std::optional<std::int64_t> before_ns_;
  std::optional<std::int64_t> since_ns_;
  std::set<std::string> images_;  // ids of the ancestors and of what was made from them
};

}  // namespace quoll::api
