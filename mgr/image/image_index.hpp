// The record of which images there are, what they are made of, and which references lead to them: references.json.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::mgr {

struct LayerRecord {
  std::string chain_id;
  std::string diff_id;
  std::string blob;       // digest of the layer as it was loaded, perhaps compressed
  std::int64_t size = 0;  // bytes of its regular files
};

// What builds have to do with an image.
enum class BuildRole {
  kNone,
  kStep,   // one of their steps made it, and nobody has asked for it: it is there for later builds
  kResult  // a build ended in it
};

struct ImageRecord {
  std::string manifest;             // digest of a blob
  std::vector<LayerRecord> layers;  // base first
  std::string last_tagged;          // RFC 3339 or empty
  bool removed = false;             // deleted by its user, kept for the containers that still run on its layers
  std::string parent;               // the image that this one was made from on this host; empty when none
  BuildRole build = BuildRole::kNone;
};

// Layers that may not be on the disk yet. They are whole as long as the kernel lives that wrote them.
struct UnflushedLayers {
  std::string boot;              // the kernel's boot id; empty where there are none
  std::set<std::string> chains;  // chain ids
};

// A plain value: the store changes a copy, writes it, and only then takes it over.
struct ImageIndex {
  std::map<std::string, ImageRecord> images;      // by image id
  std::map<std::string, std::string> references;  // canonical reference to image id
  UnflushedLayers unflushed;

  std::string to_json() const;

  // Errors: kInternal when the text is damaged or of a later version.
  static ImageIndex from_json(std::string_view text);

  // The id that a name, a full id, or the beginning of one means.
  //
  // Errors:   kNotFound "No such image: x:latest"; kInvalidArgument for no reference at all, or a beginning that fits
  //           several images.
  std::string resolve(const std::string& name) const;

  // Canonical references of one image, sorted.
  std::vector<std::string> references_of(const std::string& image_id) const;

  // The image and all that were made from it on this host, directly or not; also those that only containers still need.
  std::set<std::string> with_descendants(const std::string& image_id) const;

  // What the images' records need on disk.
  std::set<std::string> used_chains() const;
  std::set<std::string> used_blobs() const;
};

// Digests of all blobs of one image: manifest, configuration, layers.
std::vector<std::string> blobs_of(const std::string& image_id, const ImageRecord& record);

}  // namespace quoll::mgr
