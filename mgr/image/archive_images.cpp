#include "mgr/image/archive_images.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "mgr/image/digest.hpp"
#include "mgr/image/image.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::string_view kBlobPrefix = "blobs/sha256/";

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }

std::string read_metadata(const SpooledFile& file, const std::string& name) {
  if (file.size > static_cast<std::int64_t>(kMetadataMax)) refuse("invalid archive: " + name + " is too large");
  return read_file(file.path, kMetadataMax);
}

const json& list_at(const json& object, const char* key, const std::string& what) {
  static const json kNone = json::array();
  if (!object.is_object()) refuse("invalid archive: " + what + " is no object");
  const auto value = object.find(key);
  if (value == object.end() || value->is_null()) return kNone;
  if (!value->is_array()) refuse("invalid archive: " + what + ": " + key + " is no list");
  return *value;
}

// --- manifest.json ---------------------------------------------------------------------------------------------------

// A file that manifest.json names. Since Docker 25 those are blobs, whose names promise a digest.
SpooledFile named_file(const ArchiveSpool& spool, const std::string& name) {
  const SpooledFile* file = spool.find(name);
  if (file == nullptr) refuse("invalid archive: " + name + " is missing");
  if (name.starts_with(kBlobPrefix)) {
    const std::string promised = "sha256:" + name.substr(kBlobPrefix.size());
    if (file->digest != promised) refuse("blob " + promised + ": digest mismatch, the content is " + file->digest);
  }
  return *file;
}

Reference docker_tag(const json& tag) {
  if (!tag.is_string()) refuse("invalid archive: manifest.json: a tag is no text");
  const auto& text = tag.get_ref<const std::string&>();
  const Reference reference = parse_reference_as_written(text);
  if (reference.tag.empty() || !reference.digest.empty()) refuse("invalid tag \"" + text + "\"");
  return reference;
}

ArchiveImage docker_image(const ArchiveSpool& spool, const json& item) {
  ArchiveImage image;
  const std::string config = json_string(item, "Config");
  if (config.empty()) refuse("invalid archive: manifest.json names no configuration");
  image.config = named_file(spool, config);
  for (const json& layer : list_at(item, "Layers", "manifest.json")) {
    if (!layer.is_string()) refuse("invalid archive: manifest.json: a layer is no text");
    image.layers.push_back(named_file(spool, layer.get<std::string>()));
  }
  for (const json& tag : list_at(item, "RepoTags", "manifest.json")) image.references.push_back(docker_tag(tag));
  return image;
}

std::vector<ArchiveImage> docker_images(const ArchiveSpool& spool, const SpooledFile& file) {
  const json manifest = parse_untrusted_json(read_metadata(file, "manifest.json"), "manifest.json");
  if (!manifest.is_array()) refuse("invalid archive: manifest.json is no list");
  std::vector<ArchiveImage> images;
  for (const json& item : manifest) images.push_back(docker_image(spool, item));
  return images;
}

// --- OCI layout ------------------------------------------------------------------------------------------------------

struct Descriptor {
  std::string digest;
  std::string media_type;
  std::optional<std::int64_t> size;
  std::optional<Platform> platform;
  std::string name;  // full reference from the annotations, or empty
  bool attestation = false;
};

// containerd's annotation holds a whole reference. OCI's may hold one too, or a bare tag, which names no repository.
std::string annotated_name(const json& annotations) {
  if (const std::string full = json_string(annotations, "io.containerd.image.name"); !full.empty()) return full;
  const std::string name = json_string(annotations, "org.opencontainers.image.ref.name");
  return name.find_first_of("/:") == name.npos ? std::string() : name;
}

Descriptor descriptor_of(const json& value) {
  Descriptor descriptor;
  descriptor.digest = json_string(value, "digest");
  if (!is_sha256_digest(descriptor.digest)) {
    refuse("invalid archive: unsupported or invalid digest \"" + descriptor.digest + "\"");
  }
  descriptor.media_type = json_string(value, "mediaType");
  if (const auto size = value.find("size"); size != value.end() && size->is_number_integer()) {
    descriptor.size = size->get<std::int64_t>();
  }
  if (const auto platform = value.find("platform"); platform != value.end() && platform->is_object()) {
    descriptor.platform = Platform{json_string(*platform, "os"), json_string(*platform, "architecture"),
                                   json_string(*platform, "variant")};
  }
  if (const auto annotations = value.find("annotations"); annotations != value.end() && annotations->is_object()) {
    descriptor.name = annotated_name(*annotations);
    descriptor.attestation = annotations->contains("vnd.docker.reference.type");
  }
  return descriptor;
}

class LayoutReader {
 public:
  LayoutReader(const ArchiveSpool& spool, const Platform& platform) : spool_(spool), platform_(platform) {}

  std::vector<ArchiveImage> read(const SpooledFile& index_file) {
    const json index = parse_untrusted_json(read_metadata(index_file, "index.json"), "index.json");
    // Entries of one name, or of none, that differ by platform are one image for many machines.
    std::map<std::string, std::vector<Descriptor>> groups;
    for (const json& value : list_at(index, "manifests", "index.json")) {
      Descriptor descriptor = descriptor_of(value);
      if (!descriptor.attestation) groups[descriptor.name].push_back(std::move(descriptor));
    }
    for (const auto& [name, group] : groups) {
      const bool by_platform =
          group.size() > 1 && std::ranges::any_of(group, [](const auto& each) { return each.platform.has_value(); });
      if (by_platform) {
        const Descriptor& chosen = choose(group);
        add(chosen, {name, chosen.digest}, 0);
      } else {
        for (const Descriptor& descriptor : group) add(descriptor, {name, descriptor.digest}, 0);
      }
    }
    return std::move(images_);
  }

 private:
  const Descriptor& choose(const std::vector<Descriptor>& candidates) const {
    const auto best =
        std::ranges::max_element(candidates, {}, [&](const auto& each) { return fitness(each.platform, platform_); });
    if (best == candidates.end() || fitness(best->platform, platform_) == 0) {
      throw Error(ErrorClass::kNotFound,
                  "no matching manifest for " + to_string(platform_) + " in the manifest list entries");
    }
    return *best;
  }

  const SpooledFile& blob(const Descriptor& descriptor) const {
    const SpooledFile* file = spool_.find(std::string(kBlobPrefix) + digest_hex(descriptor.digest));
    if (file == nullptr) refuse("invalid archive: blob " + descriptor.digest + " is missing");
    if (file->digest != descriptor.digest) {
      refuse("blob " + descriptor.digest + ": digest mismatch, the content is " + file->digest);
    }
    if (descriptor.size && *descriptor.size != file->size) {
      refuse("blob " + descriptor.digest + ": size mismatch: expected " + std::to_string(*descriptor.size) + ", got " +
             std::to_string(file->size));
    }
    return *file;
  }

  // Under what name, and as what digest of that name's repository, the archive offers an image. For many platforms that
  // is the digest of the index, as it is after a pull.
  struct Offer {
    std::string name;
    std::string digest;
  };

  void add(const Descriptor& descriptor, const Offer& offer, int depth) {
    if (depth > kIndexDepthMax) refuse("invalid archive: indexes nested too deeply");
    std::string text = read_metadata(blob(descriptor), descriptor.digest);
    const json document = parse_untrusted_json(text, "blob " + descriptor.digest);
    if (document.is_object() && document.contains("manifests")) {
      std::vector<Descriptor> candidates;
      for (const json& value : list_at(document, "manifests", descriptor.digest)) {
        candidates.push_back(descriptor_of(value));
      }
      // An index inside an index says nothing of its platform: look into it when it is alone.
      const bool alone = candidates.size() == 1 && !candidates.front().platform;
      return add(alone ? candidates.front() : choose(candidates), offer, depth + 1);
    }
    add_manifest(document, std::move(text), descriptor, offer);
  }

  void add_manifest(const json& manifest, std::string text, const Descriptor& descriptor, const Offer& offer) {
    if (!manifest.is_object() || !manifest.contains("config")) {
      refuse("invalid archive: blob " + descriptor.digest + " is no image manifest");
    }
    ArchiveImage image;
    image.config = blob(descriptor_of(manifest["config"]));
    for (const json& layer : list_at(manifest, "layers", descriptor.digest)) {
      image.layers.push_back(blob(descriptor_of(layer)));
    }
    image.manifest = std::move(text);
    if (!offer.name.empty()) add_references(image, offer);
    images_.push_back(std::move(image));
  }

  static void add_references(ArchiveImage& image, const Offer& offer) {
    Reference tagged = parse_reference(offer.name);
    Reference pinned = tagged;
    pinned.tag.clear();
    pinned.digest = offer.digest;
    tagged.digest.clear();
    if (!tagged.tag.empty()) image.references.push_back(std::move(tagged));
    image.references.push_back(std::move(pinned));
  }

  const ArchiveSpool& spool_;
  const Platform& platform_;
  std::vector<ArchiveImage> images_;
};

// The configuration is read here once more to compare its layers with the manifest's.
void check_layer_count(const ArchiveImage& image) {
  const std::size_t expected = parse_image_config(read_metadata(image.config, "image configuration")).diff_ids.size();
  if (expected != image.layers.size()) {
    refuse("invalid manifest, layers length mismatch: expected " + std::to_string(expected) + ", got " +
           std::to_string(image.layers.size()));
  }
}

}  // namespace

std::vector<ArchiveImage> read_archive_images(const ArchiveSpool& spool, const Platform& platform) {
  std::vector<ArchiveImage> images;
  if (const SpooledFile* manifest = spool.find("manifest.json")) {
    images = docker_images(spool, *manifest);
  } else if (const SpooledFile* index = spool.find("index.json")) {
    images = LayoutReader(spool, platform).read(*index);
  } else {
    refuse("invalid archive: neither manifest.json nor index.json found");
  }
  if (images.empty()) refuse("invalid archive: it holds no image");
  for (const ArchiveImage& image : images) check_layer_count(image);
  return images;
}

}  // namespace quoll::mgr
