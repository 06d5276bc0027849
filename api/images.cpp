// /images, but for their archives.
#include <fnmatch.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "api/filters.hpp"
#include "api/handlers.hpp"
#include "api/image_json.hpp"
#include "api/image_request.hpp"
#include "api/json_body.hpp"
#include "api/old_fields.hpp"
#include "api/version.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/event/event_bus.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

constexpr std::int64_t kSecond_ns = 1'000'000'000;

bool is_dangling(const mgr::Image& image) { return image.repo_tags.empty() && image.repo_digests.empty(); }

bool matches_reference(const mgr::Image& image, const std::string& pattern) {
  for (const std::string& tag : image.repo_tags) {
    if (tag == pattern || tag.substr(0, tag.rfind(':')) == pattern) return true;
    if (::fnmatch(pattern.c_str(), tag.c_str(), FNM_PATHNAME) == 0) return true;
    if (::fnmatch(pattern.c_str(), tag.substr(0, tag.rfind(':')).c_str(), FNM_PATHNAME) == 0) return true;
  }
  return false;
}

// The value of the filter `dangling`; nothing where it is not given.
std::optional<bool> dangling_filter(const Filters& filters) {
  if (!filters.has("dangling")) return std::nullopt;
  const std::set<std::string>& values = filters.values("dangling");
  const std::string& value = *values.begin();
  const bool yes = value == "true" || value == "1";
  if (values.size() != 1 || (!yes && value != "false" && value != "0")) {
    throw Error(ErrorClass::kInvalidArgument, "invalid filter 'dangling=[" + value + "]'");
  }
  return yes;
}

// The list filters of one request.
class Selection {
 public:
  // Blocks. Errors: kNotFound for an image that `before` or `since` name.
  Selection(const Api& api, const Filters& filters, bool all)
      : filters_(filters),
        all_(all),
        dangling_(dangling_filter(filters)),
        until_ns_(filters.until_ns(mgr::wall_now_ns())) {
    for (const std::string& name : filters.values("before")) before_ = api.images.get(name).created_seconds;
    for (const std::string& name : filters.values("since")) since_ = api.images.get(name).created_seconds;
  }

  bool has(const mgr::Image& image, const std::set<std::string>& parents) const {
    // What only other images stand on is not shown.
    if (!all_ && is_dangling(image) && parents.contains(image.id)) return false;
    if (before_ && image.created_seconds >= *before_) return false;
    if (since_ && image.created_seconds <= *since_) return false;
    if (until_ns_ && image.created_seconds * kSecond_ns > *until_ns_) return false;
    if (dangling_ && is_dangling(image) != *dangling_) return false;
    return filters_.any("reference", [&](const std::string& pattern) { return matches_reference(image, pattern); }) &&
           filters_.match_labels(image.labels());
  }

 private:
  const Filters& filters_;
  const bool all_;
  const std::optional<bool> dangling_;
  const std::optional<std::int64_t> until_ns_;
  std::optional<std::int64_t> before_;
  std::optional<std::int64_t> since_;
};

json list_json(const Api& api, const Request& request, const Filters& filters) {
  const Selection selection(api, filters, request.query_flag("all"));
  const bool sizes = request.query_flag("shared-size");
  const bool manifests = request.query_flag("manifests");
  const bool counts = !is_before(request, 51);
  std::vector<mgr::ImageUsage> images;
  if (sizes || manifests) {
    images = api.images.usage().images;
  } else {
    for (mgr::Image& image : api.images.list()) images.push_back({std::move(image)});
  }
  std::set<std::string> parents;
  for (const mgr::ImageUsage& usage : images) parents.insert(usage.image.parent);
  const auto users = manifests || counts ? api.containers.image_users() : std::vector<mgr::ImageUser>();
  json list = json::array();
  for (const mgr::ImageUsage& usage : images) {
    if (!selection.has(usage.image, parents)) continue;
    json entry = image_summary_json(usage.image);
    add_virtual_size(request, entry);
    name_nameless_image(request, entry);
    if (counts) entry["Containers"] = ids_of_users(users, usage.image.id).size();
    if (sizes) entry["SharedSize"] = usage.shared_size;
    if (manifests) entry["Manifests"] = json::array({image_manifest_json(usage, ids_of_users(users, usage.image.id))});
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

std::vector<std::string> ids_of_users(const std::vector<mgr::ImageUser>& users, const std::string& image_id) {
  std::vector<std::string> ids;
  for (const mgr::ImageUser& user : users) {
    if (user.image_id == image_id) ids.push_back(user.container_id);
  }
  return ids;
}

Task<void> list_images(Api& api, Request& request, Response& response) {
  Filters filters(request.query("filters"), {"dangling", "label", "label!", "reference", "before", "since", "until"});
  // Before there were filters by reference, there was this.
  if (const std::string name = request.query("filter").value_or(""); !name.empty() && is_before(request, 41)) {
    filters.add("reference", name);
  }
  const json list = co_await task::blocking([&] { return list_json(api, request, filters); });
  co_await send_json(response, 200, list);
}

Task<void> inspect_image(Api& api, Request& request, Response& response) {
  const std::string name(request.param("name"));
  const json answer = co_await task::blocking([&] {
    const mgr::Image image = api.images.get(name);
    check_platform(image, name, platforms_of(request, "platform", 49));
    return image_inspect_json(request, image, api.images.layer_directories(image.id));
  });
  co_await send_json(response, 200, answer);
}

namespace {

// An image and those that it was made from on this host, one before the other. A parent may go in the meantime.
std::vector<mgr::Image> lineage_of(const mgr::ImageStore& images, const std::string& name) {
  std::vector<mgr::Image> lineage{images.get(name)};
  while (!lineage.back().parent.empty()) {
    try {
      lineage.push_back(images.get(lineage.back().parent));
    } catch (const Error& error) {
      if (error.error_class() != ErrorClass::kNotFound) throw;
      break;
    }
  }
  return lineage;
}

}  // namespace

Task<void> history_image(Api& api, Request& request, Response& response) {
  const std::string name(request.param("name"));
  const json answer = co_await task::blocking([&] {
    const std::vector<mgr::Image> lineage = lineage_of(api.images, name);
    check_platform(lineage.front(), name, platforms_of(request, "platform", 48));
    return image_history_json(lineage, api.images.layers_of(lineage.front().id));
  });
  co_await send_json(response, 200, answer);
}

Task<void> tag_image(Api& api, Request& request, Response& response) {
  const std::string name(request.param("name"));
  const auto reference = reference_of(request);
  if (!reference) throw Error(ErrorClass::kInvalidArgument, "invalid reference format");
  co_await task::blocking([&] { api.images.tag(name, reference->familiar()); });
  co_await response.send_empty(201);
}

Task<void> remove_image(Api& api, Request& request, Response& response) {
  const std::string name(request.param("name"));
  const mgr::RemoveOptions options{request.query_flag("force"), request.query_flag("noprune")};
  const std::vector<mgr::Platform> platforms = platforms_of(request, "platforms", 50);
  const mgr::RemoveResult result = co_await task::blocking([&] {
    if (!platforms.empty()) check_platform(api.images.get(name), name, platforms);
    return api.images.remove(name, options, [&api] { return api.containers.image_users(); });
  });
  co_await send_json(response, 200, removed_items_json(result));
}

Task<void> prune_images(Api& api, Request& request, Response& response) {
  const Filters filters(request.query("filters"), {"dangling", "label", "label!", "until"});
  const bool all = !dangling_filter(filters).value_or(true);
  const std::optional<std::int64_t> until_ns = filters.until_ns(mgr::wall_now_ns());
  const auto wanted = [&](const mgr::Image& image) {
    return (!until_ns || image.created_seconds * kSecond_ns <= *until_ns) && filters.match_labels(image.labels());
  };
  const mgr::RemoveResult result = co_await task::blocking([&](const std::stop_token& stop) {
    return api.images.prune(all, wanted, [&api] { return api.containers.image_users(); }, stop);
  });
  api.events.publish({"image", "prune", "", {{"reclaimed", std::to_string(result.freed_bytes)}}});
  const json items = result.items.empty() ? json() : removed_items_json(result);
  co_await send_json(response, 200, {{"ImagesDeleted", items}, {"SpaceReclaimed", result.freed_bytes}});
}

Task<void> search_images(Api&, Request&, Response&) {
  throw Error(ErrorClass::kNotImplemented,
              "search is not supported: it is a service of Docker Hub alone, and not of the registries that images are "
              "pulled from");
  co_return;
}

}  // namespace quoll::api
