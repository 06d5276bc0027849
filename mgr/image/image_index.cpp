#include "mgr/image/image_index.hpp"

#include <nlohmann/json.hpp>

#include "mgr/image/digest.hpp"
#include "mgr/image/reference.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr int kVersion = 1;

std::string to_text(BuildRole role) {
  if (role == BuildRole::kNone) return "";
  return role == BuildRole::kStep ? "step" : "result";
}

BuildRole build_role(const std::string& text) {
  if (text.empty()) return BuildRole::kNone;
  return text == "step" ? BuildRole::kStep : BuildRole::kResult;
}

json record_to_json(const ImageRecord& record) {
  json layers = json::array();
  for (const LayerRecord& layer : record.layers) {
    layers.push_back(
        {{"chain_id", layer.chain_id}, {"diff_id", layer.diff_id}, {"blob", layer.blob}, {"size", layer.size}});
  }
  return {{"manifest", record.manifest}, {"layers", std::move(layers)}, {"last_tagged", record.last_tagged},
          {"removed", record.removed},   {"parent", record.parent},     {"build", to_text(record.build)}};
}

// These strings become file names.
std::string digest_at(const json& object, const char* key) {
  std::string digest = object.at(key).get<std::string>();
  if (!is_sha256_digest(digest)) throw Error(ErrorClass::kInternal, "image index is damaged: invalid digest");
  return digest;
}

ImageRecord record_from_json(const json& value) {
  ImageRecord record;
  record.manifest = digest_at(value, "manifest");
  record.last_tagged = value.at("last_tagged").get<std::string>();
  record.removed = value.at("removed").get<bool>();
  record.parent = value.value("parent", "");
  record.build = build_role(value.value("build", ""));
  for (const json& layer : value.at("layers")) {
    record.layers.push_back({digest_at(layer, "chain_id"), digest_at(layer, "diff_id"), digest_at(layer, "blob"),
                             layer.at("size").get<std::int64_t>()});
  }
  return record;
}

[[noreturn]] void no_such_image(const std::string& name) {
  throw Error(ErrorClass::kNotFound, "No such image: " + name);
}

}  // namespace

std::string ImageIndex::to_json() const {
  json document = {{"version", kVersion}, {"images", json::object()}, {"references", references}};
  for (const auto& [id, record] : images) document["images"][id] = record_to_json(record);
  if (!unflushed.chains.empty()) document["unflushed"] = {{"boot", unflushed.boot}, {"layers", unflushed.chains}};
  return document.dump(1) + "\n";
}

ImageIndex ImageIndex::from_json(std::string_view text) try {
  const json document = json::parse(text);
  if (document.at("version").get<int>() != kVersion) {
    throw Error(ErrorClass::kInternal, "image index: unknown version");
  }
  ImageIndex index;
  for (const auto& [id, value] : document.at("images").items()) {
    if (!is_sha256_digest(id)) throw Error(ErrorClass::kInternal, "image index is damaged: invalid id");
    index.images.emplace(id, record_from_json(value));
  }
  index.references = document.at("references").get<std::map<std::string, std::string>>();
  if (const auto unflushed = document.find("unflushed"); unflushed != document.end()) {
    index.unflushed.boot = unflushed->at("boot").get<std::string>();
    for (const json& chain : unflushed->at("layers")) index.unflushed.chains.insert(chain.get<std::string>());
  }
  std::erase_if(index.references, [&](const auto& each) { return !index.images.contains(each.second); });
  return index;
} catch (const json::exception& error) {
  throw Error(ErrorClass::kInternal, std::string("image index is damaged: ") + error.what());
}

std::string ImageIndex::resolve(const std::string& name) const {
  const auto visible = [&](const std::string& id) {
    const auto found = images.find(id);
    return found != images.end() && !found->second.removed;
  };
  const bool bare_id = name.size() == 64 && is_lower_hex(name);
  if (bare_id || is_sha256_digest(name)) {
    const std::string id = bare_id ? "sha256:" + name : name;
    if (!visible(id)) no_such_image(id);
    return id;
  }
  const Reference reference = parse_reference(name);
  if (const auto found = references.find(reference.canonical()); found != references.end()) return found->second;

  std::string_view prefix = name;
  if (prefix.starts_with("sha256:")) prefix.remove_prefix(7);
  std::string match;
  if (!prefix.empty() && is_lower_hex(prefix)) {
    const std::string from = "sha256:" + std::string(prefix);
    for (auto each = images.lower_bound(from); each != images.end() && each->first.starts_with(from); ++each) {
      if (each->second.removed) continue;
      if (!match.empty()) {
        throw Error(ErrorClass::kInvalidArgument, "multiple IDs found with provided prefix: " + name);
      }
      match = each->first;
    }
  }
  if (match.empty()) no_such_image(reference.familiar());
  return match;
}

std::vector<std::string> ImageIndex::references_of(const std::string& image_id) const {
  std::vector<std::string> found;
  for (const auto& [reference, id] : references) {
    if (id == image_id) found.push_back(reference);
  }
  return found;
}

std::set<std::string> ImageIndex::with_descendants(const std::string& image_id) const {
  std::multimap<std::string, std::string> children;
  for (const auto& [id, record] : images) children.emplace(record.parent, id);
  std::set<std::string> family;
  std::vector<std::string> found{image_id};
  while (!found.empty()) {
    const std::string id = std::move(found.back());
    found.pop_back();
    if (!family.insert(id).second) continue;
    for (auto [child, end] = children.equal_range(id); child != end; ++child) found.push_back(child->second);
  }
  return family;
}

std::set<std::string> ImageIndex::used_chains() const {
  std::set<std::string> used;
  for (const auto& [id, record] : images) {
    for (const LayerRecord& layer : record.layers) used.insert(layer.chain_id);
  }
  return used;
}

std::set<std::string> ImageIndex::used_blobs() const {
  std::set<std::string> used;
  for (const auto& [id, record] : images) {
    for (std::string& blob : blobs_of(id, record)) used.insert(std::move(blob));
  }
  return used;
}

std::vector<std::string> blobs_of(const std::string& image_id, const ImageRecord& record) {
  std::vector<std::string> blobs = {image_id, record.manifest};
  for (const LayerRecord& layer : record.layers) blobs.push_back(layer.blob);
  return blobs;
}

}  // namespace quoll::mgr
