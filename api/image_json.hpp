// Images as Docker's clients see them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "http/request.hpp"
#include "mgr/image/image_store.hpp"

namespace quoll::api {

// An element of GET /images/json. Sizes and users that nobody asked for are -1.
nlohmann::json image_summary_json(const mgr::Image& image);

// The element of `Manifests`: of the one platform that there is.
nlohmann::json image_manifest_json(const mgr::ImageUsage& usage, const std::vector<std::string>& container_ids);

// The containers among `users` that are made from the image.
std::vector<std::string> ids_of_users(const std::vector<mgr::ImageUser>& users, const std::string& image_id);

// GET /images/{name}/json, in the form of the version that the client asks for.
nlohmann::json image_inspect_json(const http::Request& request, const mgr::Image& image,
                                  const std::vector<std::filesystem::path>& layers);

// GET /images/{name}/history, the newest step first. `lineage` is the image and what it was made from on this host, its
// parent first, never empty. `layers` are the image's, base first.
nlohmann::json image_history_json(const std::vector<mgr::Image>& lineage, const std::vector<mgr::LayerRecord>& layers);

// [{"Untagged": x}, {"Deleted": y}]
nlohmann::json removed_items_json(const mgr::RemoveResult& result);

}  // namespace quoll::api
