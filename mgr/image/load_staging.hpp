// One load on its way into the store: all of it lies in work directories until it is published.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "mgr/image/archive_images.hpp"
#include "mgr/image/early_unpacker.hpp"
#include "mgr/image/image.hpp"
#include "mgr/image/image_index.hpp"
#include "mgr/image/store_layout.hpp"

namespace quoll::mgr {

// An image that a load brings.
struct StagedImage {
  Image facts;
  ImageRecord record;
  std::vector<Reference> references;
};

// Lifetime: for one load. Whatever was not published is gone from the disk when the object goes.
// Thread:   one; several objects work beside each other.
// Cancel:   every step throws kCancelled.
class LoadStaging {
 public:
  LoadStaging(const StoreLayout& layout, std::stop_token stop);

  // Takes in the archive: spools it, unpacks beside that what looks like a layer, reads its manifests, verifies what
  // they promise.
  void read(ByteSource source, const Platform& platform);

  // Unpacks each layer that is neither in the store nor here yet, verifies the diff id of every layer, unpacked or not,
  // and flushes the blobs. May be called again, when a layer has meanwhile been removed from the store.
  void prepare_layers();

  // Whether each layer is in the store or here. REQUIRES: the store's mutex, so that the answer stays true.
  bool has_all_layers() const;

  // Moves the blobs, and the layers that the store lacks, into it; the chain ids of those layers, which are not
  // flushed. Call once; on failure some may have been moved. REQUIRES: the store's mutex; has_all_layers().
  std::vector<std::string> publish();

  const std::vector<StagedImage>& images() const { return images_; }

 private:
  void add_image(const ArchiveImage& image);
  void stage_blob(const SpooledFile& file) { blobs_.insert_or_assign(file.digest, file.path); }
  void stage_manifest(const ArchiveImage& image, StagedImage& staged);
  void unpack(const LayerRecord& layer);
  EarlyLayer take_early(const LayerRecord& layer);
  void verify(const LayerRecord& layer);
  bool is_stored(const LayerRecord& layer) const;

  // Constant after construction.
  const StoreLayout& layout_;
  const std::stop_token stop_;
  TemporaryDirectory blob_work_;
  TemporaryDirectory layer_work_;

  std::vector<StagedImage> images_;
  std::map<std::string, std::filesystem::path> blobs_;          // by digest
  std::map<std::string, std::filesystem::path> staged_layers_;  // by chain id
  std::map<std::string, EarlyLayer> early_layers_;              // by blob
  std::map<std::string, std::int64_t> layer_sizes_;             // by chain id
  std::map<std::string, std::string> diff_ids_;                 // by blob, as computed
};

}  // namespace quoll::mgr
