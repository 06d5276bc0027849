#include "api/container_size.hpp"

#include <nlohmann/json.hpp>

#include "mgr/image/image_store.hpp"
#include "mgr/volume/directory_size.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

// 0 where it has been removed in this very moment.
std::int64_t image_size(const Api& api, const std::string& image_id) {
  try {
    return api.images.image_of(image_id).size;
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kNotFound) throw;
    return 0;
  }
}

}  // namespace

void add_sizes(const Api& api, const std::string& container_id, const std::string& image_id, nlohmann::json& into,
               const std::stop_token& stop) {
  const std::string upper = api.facts.root + "/containers/" + container_id + "/upper";
  const std::int64_t own = mgr::directory_size(upper, stop);
  into["SizeRw"] = own;
  into["SizeRootFs"] = own + image_size(api, image_id);
}

}  // namespace quoll::api
