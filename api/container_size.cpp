#include "api/container_size.hpp"

#include <nlohmann/json.hpp>

#include "mgr/files/tree_changes.hpp"
#include "mgr/image/image_store.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

// 0 for what is removed in this very moment.
template <typename F>
std::int64_t size_or_zero(F size) {
  try {
    return size();
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kNotFound) throw;
    return 0;
  }
}

}  // namespace

void add_sizes(const Api& api, const std::string& container_id, const std::string& image_id, nlohmann::json& into,
               const std::stop_token& stop) {
  const std::string upper = api.facts.root + "/containers/" + container_id + "/upper";
  const std::int64_t own = size_or_zero([&] { return mgr::tree_size(upper, stop); });
  const std::int64_t image = size_or_zero([&] { return api.images.image_of(image_id).size; });
  into["SizeRw"] = own;
  into["SizeRootFs"] = own + image;
}

}  // namespace quoll::api
