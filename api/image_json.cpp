#include "api/image_json.hpp"

#include <nlohmann/json.hpp>

#include "api/old_fields.hpp"
#include "api/version.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

constexpr const char* kNever = "0001-01-01T00:00:00Z";

json platform_json(const mgr::Image& image) {
  json platform{{"architecture", image.architecture}, {"os", image.os}};
  if (!image.variant.empty()) platform["variant"] = image.variant;
  return platform;
}

// Overlay's directories, though nothing is mounted of them.
json driver_data(const std::vector<std::filesystem::path>& layers) {
  json data = json::object();
  if (!layers.empty()) data["UpperDir"] = layers.front().string();
  std::string lower;
  for (std::size_t i = 1; i < layers.size(); ++i) lower += (lower.empty() ? "" : ":") + layers[i].string();
  if (!lower.empty()) data["LowerDir"] = lower;
  return data;
}

}  // namespace

json image_summary_json(const mgr::Image& image) {
  return {{"Id", image.id},
          {"ParentId", image.parent},
          {"RepoTags", image.repo_tags},
          {"RepoDigests", image.repo_digests},
          {"Created", image.created_seconds},
          {"Size", image.size},
          {"SharedSize", -1},
          {"Labels", image.labels()},
          {"Containers", -1}};
}

json image_manifest_json(const mgr::ImageUsage& usage, const std::vector<std::string>& container_ids) {
  const mgr::Image& image = usage.image;
  const json descriptor{{"mediaType", "application/vnd.oci.image.manifest.v1+json"},
                        {"digest", image.manifest},
                        {"size", usage.manifest_bytes},
                        {"platform", platform_json(image)}};
  return {{"ID", image.manifest},
          {"Descriptor", descriptor},
          {"Available", true},
          {"Size", {{"Content", usage.bytes - image.size}, {"Total", usage.bytes}}},
          {"Kind", "image"},
          {"ImageData",
           {{"Platform", platform_json(image)}, {"Containers", container_ids}, {"Size", {{"Unpacked", image.size}}}}}};
}

json image_inspect_json(const http::Request& request, const mgr::Image& image,
                        const std::vector<std::filesystem::path>& layers) {
  json answer{{"Id", image.id},
              {"RepoTags", image.repo_tags},
              {"RepoDigests", image.repo_digests},
              {"Parent", image.parent},
              {"Comment", mgr::json_string(image.config, "comment")},
              {"Created", image.created},
              {"DockerVersion", mgr::json_string(image.config, "docker_version")},
              {"Author", mgr::json_string(image.config, "author")},
              {"Config", image.container_config()},
              {"Architecture", image.architecture},
              {"Variant", image.variant},
              {"Os", image.os},
              {"Size", image.size},
              {"GraphDriver", {{"Name", "overlay2"}, {"Data", driver_data(layers)}}},
              {"RootFS", {{"Type", "layers"}, {"Layers", image.diff_ids}}},
              {"Metadata", {{"LastTagTime", image.last_tagged.empty() ? kNever : image.last_tagged}}}};
  add_old_image_fields(request, answer);
  return answer;
}

json image_history_json(const std::vector<mgr::Image>& lineage, const std::vector<mgr::LayerRecord>& layers) {
  const mgr::Image& image = lineage.front();
  json list = json::array();
  const auto history = image.config.find("history");
  std::size_t layer = 0;
  const auto add = [&](const json& step) {
    const bool has_layer = !mgr::is_empty_layer(step) && layer < layers.size();
    list.push_back({{"Id", "<missing>"},
                    {"Created", mgr::rfc3339_seconds(mgr::json_string(step, "created"))},
                    {"CreatedBy", mgr::json_string(step, "created_by")},
                    {"Tags", nullptr},
                    {"Size", has_layer ? layers[layer].size : 0},
                    {"Comment", mgr::json_string(step, "comment")}});
    if (has_layer) ++layer;
  };
  if (history != image.config.end() && history->is_array()) {
    for (const json& step : *history) add(step);
  }
  while (layer < layers.size()) add(json::object());  // a configuration without a history
  std::reverse(list.begin(), list.end());
  // Each image was made from the next by one step.
  for (std::size_t at = 0; at < std::min(list.size(), lineage.size()); ++at) {
    list[at]["Id"] = lineage[at].id;
    if (!lineage[at].repo_tags.empty()) list[at]["Tags"] = lineage[at].repo_tags;
  }
  return list;
}

json removed_items_json(const mgr::RemoveResult& result) {
  json items = json::array();
  for (const mgr::RemoveItem& item : result.items) {
    items.push_back({{item.kind == mgr::RemoveItem::Kind::kUntagged ? "Untagged" : "Deleted", item.name}});
  }
  return items;
}

}  // namespace quoll::api
