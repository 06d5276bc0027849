// Images made on this host: an image's layers, perhaps one more, and a configuration. For commit, import and builds.
#pragma once

#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "mgr/image/durable_file.hpp"
#include "mgr/image/image.hpp"
#include "mgr/image/image_index.hpp"
#include "mgr/image/reference.hpp"

namespace quoll::mgr {

class ImageHold;
class ImageStore;
class StorePin;

struct ImageDraft {
  std::string parent_id;   // required where the image stands on another's layers: "sha256:..."
  nlohmann::json config;   // required: the whole configuration document, but for "rootfs" and "history"
  nlohmann::json history;  // required: this step's entry, an object; "empty_layer" is set here
  std::vector<Reference> references;
  BuildRole build = BuildRole::kNone;
  ImageHold* hold = nullptr;  // gets the new image
};

// Takes a layer's tar (plain, gzip or zstd) into the store in one pass: its blob as it comes, and unpacked, on top of
// `parent_chain_id` ("" at the bottom). Whiteouts are those of OCI's layer format.
//
// Cancel:   kCancelled; nothing of it remains. The same after any error, and when the pin goes without an image.
// Errors:   as unpack_layer().
LayerRecord store_layer(ImageStore& store, StorePin& pin, const std::string& parent_chain_id, ByteSource tar,
                        const std::stop_token& stop);

// Makes the image. `layer` is the tar of one more layer; empty for a change of the configuration alone. A tar without
// entries adds no layer either.
//
// Errors:   kNotFound where the parent is gone; kInvalidArgument where its configuration would be larger than
//           kMetadataMax; else as store_layer().
// Thread:   any; blocks on the disk.
Image create_image(ImageStore& store, ImageDraft draft, ByteSource layer, const std::stop_token& stop);

}  // namespace quoll::mgr
