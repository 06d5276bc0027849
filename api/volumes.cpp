// /volumes
#include "api/filters.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/version.hpp"
#include "api/volume_json.hpp"
#include "mgr/volume/volume_manager.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

std::map<std::string, std::string> text_map(const json& body, const char* field) {
  const auto found = body.find(field);
  std::map<std::string, std::string> map;
  if (found == body.end() || found->is_null()) return map;
  const Error bad(ErrorClass::kInvalidArgument, std::string(field) + ": expected an object of strings");
  if (!found->is_object()) throw bad;
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) throw bad;
    map.emplace(key, value.get<std::string>());
  }
  return map;
}

std::string text(const json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || found->is_null()) return "";
  if (!found->is_string()) throw Error(ErrorClass::kInvalidArgument, std::string(field) + ": expected a string");
  return found->get<std::string>();
}

mgr::VolumeRequest volume_request(const json& body) {
  if (body.contains("ClusterVolumeSpec") && !body["ClusterVolumeSpec"].is_null()) {
    throw Error(ErrorClass::kNotImplemented, "ClusterVolumeSpec is not supported");
  }
  return {.name = text(body, "Name"),
          .driver = text(body, "Driver"),
          .options = text_map(body, "DriverOpts"),
          .labels = text_map(body, "Labels")};
}

// Before 1.42 all unused volumes went; since then those that somebody has named stay unless `all` says otherwise.
bool prunes_named(const Request& request, const Filters& filters) {
  if (is_before(request, 42)) return true;
  const auto& all = filters.values("all");
  return all.contains("1") || all.contains("true");
}

}  // namespace

Task<void> list_volumes(Api& api, Request& request, Response& response) {
  const Filters filters(request.query("filters"), {"dangling", "driver", "label", "name"});
  const std::optional<bool> dangling = filters.flag("dangling");
  json volumes = json::array();
  for (const auto& volume : api.volumes.list()) {
    const bool is_dangling = !api.volumes.is_in_use(volume->name);
    const bool fits = is_dangling == dangling.value_or(is_dangling) && filters.allows("driver", "local") &&
                      filters.matches("name", volume->name) && filters.match_labels(volume->labels);
    if (fits) volumes.push_back(volume_json(*volume));
  }
  co_await send_json(response, 200, {{"Volumes", std::move(volumes)}, {"Warnings", nullptr}});
}

Task<void> create_volume(Api& api, Request& request, Response& response) {
  const mgr::VolumeRequest wanted = volume_request(co_await read_json(request));
  const auto volume = co_await task::blocking([&] { return api.volumes.create(wanted); });
  co_await send_json(response, 201, volume_json(*volume));
}

Task<void> inspect_volume(Api& api, Request& request, Response& response) {
  co_await send_json(response, 200, volume_json(*api.volumes.get(std::string(request.param("name")))));
}

Task<void> remove_volume(Api& api, Request& request, Response& response) {
  const std::string name(request.param("name"));
  const bool force = request.query_flag("force");
  co_await task::blocking([&] { api.volumes.remove(name, force); });
  co_await response.send_empty(204);
}

Task<void> prune_volumes(Api& api, Request& request, Response& response) {
  const Filters filters(request.query("filters"), {"all", "label", "label!"});
  const bool named = prunes_named(request, filters);
  const auto wanted = [&](const mgr::Volume& volume) {
    return (named || volume.is_anonymous()) && filters.match_labels(volume.labels);
  };
  const mgr::VolumePruneResult pruned =
      co_await task::blocking([&](std::stop_token stop) { return api.volumes.prune(wanted, stop); });
  co_await send_json(response, 200, {{"VolumesDeleted", pruned.names}, {"SpaceReclaimed", pruned.bytes}});
}

}  // namespace quoll::api
