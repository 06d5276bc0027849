#include "mgr/registry/registry_manifest.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "mgr/image/digest.hpp"
#include "mgr/image/image.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kEntriesMax = 1024;

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }

ContentDescriptor descriptor_of(const json& value) {
  ContentDescriptor descriptor;
  descriptor.media_type = json_string(value, "mediaType");
  descriptor.digest = json_string(value, "digest");
  if (!is_sha256_digest(descriptor.digest)) {
    refuse("manifest: unsupported or invalid digest \"" + descriptor.digest + "\"");
  }
  const auto size = value.find("size");
  if (size == value.end() || !size->is_number_integer() || size->get<std::int64_t>() < 0) {
    refuse("manifest: invalid size of " + descriptor.digest);
  }
  descriptor.size = size->get<std::int64_t>();
  if (const auto platform = value.find("platform"); platform != value.end() && platform->is_object()) {
    descriptor.platform = Platform{json_string(*platform, "os"), json_string(*platform, "architecture"),
                                   json_string(*platform, "variant")};
  }
  return descriptor;
}

bool is_attestation(const json& value) {
  const auto annotations = value.is_object() ? value.find("annotations") : value.end();
  return value.is_object() && annotations != value.end() && annotations->is_object() &&
         annotations->contains("vnd.docker.reference.type");
}

std::vector<ContentDescriptor> list_of(const json& document, const char* key) {
  std::vector<ContentDescriptor> list;
  const auto values = document.find(key);
  if (values == document.end() || !values->is_array()) refuse(std::string("manifest: ") + key + " is no list");
  if (values->size() > kEntriesMax) refuse(std::string("manifest: too many ") + key);
  for (const json& value : *values) {
    if (!is_attestation(value)) list.push_back(descriptor_of(value));
  }
  return list;
}

// The part before parameters: "a/b; charset=utf-8" is "a/b".
std::string bare_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  return std::string(content_type);
}

std::string type_of(const json& document, std::string_view content_type) {
  if (std::string type = json_string(document, "mediaType"); !type.empty()) return type;
  const std::string type = bare_type(content_type);
  if (type == kOciManifest || type == kOciIndex || type == kDockerManifest || type == kDockerList) return type;
  if (document.contains("manifests")) return std::string(kOciIndex);
  if (document.contains("config")) return std::string(kOciManifest);
  return type;
}

}  // namespace

std::string accepted_manifests() {
  std::string list;
  for (const std::string_view type : {kOciIndex, kDockerList, kOciManifest, kDockerManifest}) {
    list += (list.empty() ? "" : ", ") + std::string(type);
  }
  return list;
}

Manifest parse_manifest(std::string text, std::string_view content_type) {
  const json document = parse_untrusted_json(text, "manifest");
  if (!document.is_object()) refuse("manifest is no object");
  const auto version = document.find("schemaVersion");
  if (version != document.end() && *version == 1) {
    throw Error(ErrorClass::kNotImplemented,
                "support for Docker Image Format v1 and Docker Image manifest version 2, schema 1 has been removed");
  }
  Manifest manifest;
  manifest.media_type = type_of(document, content_type);
  if (manifest.media_type == kOciIndex || manifest.media_type == kDockerList) {
    manifest.is_index = true;
    manifest.manifests = list_of(document, "manifests");
  } else if (manifest.media_type == kOciManifest || manifest.media_type == kDockerManifest) {
    const auto config = document.find("config");
    if (config == document.end() || !config->is_object()) refuse("manifest has no config");
    manifest.config = descriptor_of(*config);
    manifest.layers = list_of(document, "layers");
  } else {
    refuse("unsupported manifest media type \"" + manifest.media_type + "\"");
  }
  manifest.digest = sha256_digest(text);
  manifest.text = std::move(text);
  return manifest;
}

const ContentDescriptor& choose_platform(const std::vector<ContentDescriptor>& manifests, const Platform& wanted) {
  const auto best =
      std::ranges::max_element(manifests, {}, [&](const auto& each) { return fitness(each.platform, wanted); });
  if (best != manifests.end() && fitness(best->platform, wanted) > 0) return *best;
  if (manifests.size() == 1 && !manifests.front().platform) return manifests.front();
  throw Error(ErrorClass::kNotFound, "no matching manifest for " + to_string(wanted) + " in the manifest list entries");
}

}  // namespace quoll::mgr
