// GET /system/df
#include <nlohmann/json.hpp>
#include <set>

#include "api/container_json.hpp"
#include "api/container_size.hpp"
#include "api/handlers.hpp"
#include "api/image_json.hpp"
#include "api/json_body.hpp"
#include "api/old_fields.hpp"
#include "api/version.hpp"
#include "api/volume_json.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/volume/volume_manager.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

// The kinds of objects that the client asks for; all where it says nothing.
std::set<std::string> wanted_types(const Request& request) {
  static const std::set<std::string> kAll = {"container", "image", "volume", "build-cache"};
  if (is_before(request, 42)) return kAll;
  std::set<std::string> wanted;
  for (const std::string& type : request.query_values("type")) {
    if (!kAll.contains(type)) throw Error(ErrorClass::kInvalidArgument, "unknown object type: " + type);
    wanted.insert(type);
  }
  return wanted.empty() ? kAll : wanted;
}

// An image's size here is what it takes on the disk: its layers, unpacked, and the blobs that they came in.
json images_json(const Api& api, json& answer) {
  const mgr::StoreUsage usage = api.images.usage();
  const auto users = api.containers.image_users();
  answer["LayersSize"] = usage.bytes;
  json list = json::array();
  for (const mgr::ImageUsage& each : usage.images) {
    json entry = image_summary_json(each.image);
    entry["Size"] = each.bytes;
    entry["SharedSize"] = each.shared_bytes;
    entry["Containers"] = ids_of_users(users, each.image.id).size();
    list.push_back(std::move(entry));
  }
  return list;
}

json containers_json(const Api& api, const std::stop_token& stop) {
  const std::int64_t now_ns = mgr::wall_now_ns();
  json list = json::array();
  for (const mgr::ContainerSnapshot& container : api.containers.list()) {
    json entry = summary_json(container, now_ns);
    add_sizes(api, container.id, container.image_id, entry, stop);
    list.push_back(std::move(entry));
  }
  return list;
}

json volumes_json(const Api& api, const std::stop_token& stop) {
  json list = json::array();
  for (const mgr::VolumeUsage& usage : api.volumes.usage(stop)) list.push_back(volume_usage_json(usage));
  return list;
}

json df_json(const Api& api, const std::set<std::string>& types, const std::stop_token& stop) {
  json answer = json::object();
  if (types.contains("image")) answer["Images"] = images_json(api, answer);
  if (types.contains("container")) answer["Containers"] = containers_json(api, stop);
  if (types.contains("volume")) answer["Volumes"] = volumes_json(api, stop);
  if (types.contains("build-cache")) answer["BuildCache"] = json::array();
  return answer;
}

}  // namespace

Task<void> disk_usage(Api& api, Request& request, Response& response) {
  const std::set<std::string> types = wanted_types(request);
  json answer = co_await task::blocking([&](const std::stop_token& stop) { return df_json(api, types, stop); });
  add_old_df_fields(request, answer);
  co_await send_json(response, 200, answer);
}

}  // namespace quoll::api
