// Docker's rules for what `rmi` untags, what it deletes, and when it refuses.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "mgr/image/image_index.hpp"

namespace quoll::mgr {

// A container that was made from an image. All fields required.
struct ImageUser {
  std::string container_id;
  std::string image_id;  // "sha256:..."
  bool running = false;
};

// All containers, asked for under the store's lock: so that no container comes between the question and the removal.
// It must not use the store. Empty: there are none.
using ImageUsers = std::function<std::vector<ImageUser>()>;

struct RemoveOptions {
  bool force = false;
  bool noprune = false;  // leaves the image's parents, though nothing else leads to them
};

struct RemoveItem {
  enum class Kind { kUntagged, kDeleted };
  Kind kind;
  std::string name;  // a familiar reference; or the digest of an image, or the chain id of a layer
};

struct RemoveResult {
  std::vector<RemoveItem> items;  // in the order in which Docker lists them
  std::int64_t freed_bytes = 0;   // on the disk: of layers, unpacked, and of blobs; set by the store
};

// Applies the removal of `name` to `index`.
//
// Errors:   kNotFound; kConflict with Docker's words. `index` is then to be thrown away.
RemoveResult apply_removal(ImageIndex& index, const std::string& name, const RemoveOptions& options,
                           std::span<const ImageUser> users);

// Takes out the records of images that were removed while a container used them, and that none uses any more.
// True when there was one.
bool drop_unused(ImageIndex& index, std::span<const ImageUser> users);

}  // namespace quoll::mgr
