#include "mgr/image/load_staging.hpp"

#include <fcntl.h>

#include <set>
#include <system_error>

#include "mgr/image/layer_directory.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "mgr/image/manifest.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

[[noreturn]] void rethrow_for_layer(const LayerRecord& layer, const Error& error) {
  throw Error(error.error_class(), "layer " + layer.diff_id + ": " + error.message());
}

// The sizes of the blobs in the store, looked at when first asked for.
class StoredSizes {
 public:
  explicit StoredSizes(std::filesystem::path blobs) : blobs_(std::move(blobs)) {}

  bool has(std::int64_t size) {
    if (!read_) read();
    return sizes_.contains(size);
  }

 private:
  void read() {
    read_ = true;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(blobs_, error)) {
      const auto size = entry.file_size(error);
      if (!error) sizes_.insert(static_cast<std::int64_t>(size));
    }
  }

  const std::filesystem::path blobs_;
  bool read_ = false;
  std::set<std::int64_t> sizes_;
};

}  // namespace

LoadStaging::LoadStaging(const StoreLayout& layout, std::stop_token stop)
    : layout_(layout), stop_(std::move(stop)), blob_work_(layout.images_work), layer_work_(layout.layers_work) {}

void LoadStaging::read(ByteSource source, const Platform& platform) {
  EarlyUnpacker unpacker(layer_work_.path(), stop_);
  StoredSizes stored(layout_.blobs);
  SpoolNotices notices;
  // What the store has as a blob it mostly has unpacked too. Before the digest is known, the size must do.
  notices.on_growth = [&](const std::filesystem::path& path, std::int64_t written, std::int64_t size) {
    if (!stored.has(size)) unpacker.grow(path, written);
  };
  notices.on_file = [&](const SpooledFile& file) {
    if (path_exists(layout_.blob(file.digest))) {
      unpacker.drop();
    } else {
      unpacker.add(file);
    }
  };
  const ArchiveSpool spool = spool_archive(std::move(source), blob_work_.path(), stop_, notices);
  early_layers_ = unpacker.finish();
  throw_if_stopped(stop_);
  for (const ArchiveImage& image : read_archive_images(spool, platform)) add_image(image);
}

void LoadStaging::add_image(const ArchiveImage& image) {
  StagedImage staged;
  staged.facts = parse_image_config(read_file(image.config.path, kMetadataMax));
  staged.references = image.references;
  stage_blob(image.config);
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    staged.record.layers.push_back({staged.facts.chain_ids[i], staged.facts.diff_ids[i], image.layers[i].digest, 0});
    stage_blob(image.layers[i]);
  }
  stage_manifest(image, staged);
  images_.push_back(std::move(staged));
}

void LoadStaging::stage_manifest(const ArchiveImage& image, StagedImage& staged) {
  const std::string text = image.manifest.empty() ? make_manifest(image.config, image.layers) : image.manifest;
  staged.record.manifest = sha256_digest(text);
  staged.facts.manifest = staged.record.manifest;
  const auto path = blob_work_.path() / ("manifest-" + std::to_string(images_.size()));
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL);
  write_all(fd.get(), text, "manifest");
  blobs_.insert_or_assign(staged.record.manifest, path);
}

bool LoadStaging::is_stored(const LayerRecord& layer) const {
  return stored_layer_size(layout_, layer.chain_id).has_value();
}

bool LoadStaging::has_all_layers() const {
  for (const StagedImage& image : images_) {
    for (const LayerRecord& layer : image.record.layers) {
      if (!staged_layers_.contains(layer.chain_id) && !is_stored(layer)) return false;
    }
  }
  return true;
}

void LoadStaging::prepare_layers() {
  for (StagedImage& image : images_) {
    image.facts.size = 0;
    for (LayerRecord& layer : image.record.layers) {
      throw_if_stopped(stop_);
      if (!staged_layers_.contains(layer.chain_id)) {
        if (const auto size = stored_layer_size(layout_, layer.chain_id)) {
          layer_sizes_[layer.chain_id] = *size;
        } else {
          unpack(layer);
        }
      }
      verify(layer);
      layer.size = layer_sizes_.at(layer.chain_id);
      image.facts.size += layer.size;
    }
  }
  // Before anything may refer to them. Layers are not waited for: ImageStore::flush_layers().
  throw_if_stopped(stop_);
  std::vector<std::filesystem::path> paths;
  for (const auto& [digest, path] : blobs_) paths.push_back(path);
  sync_files(paths);
}

void LoadStaging::unpack(const LayerRecord& layer) try {
  EarlyLayer unpacked = take_early(layer);
  if (unpacked.directory.empty()) {
    unpacked.directory = layer_work_.path() / std::to_string(staged_layers_.size());
    unpacked.content = unpack_blob(blobs_.at(layer.blob), layer.blob, unpacked.directory, stop_);
  }
  const LayerContent& content = unpacked.content;
  check_diff_id(layer.diff_id, content.diff_id);
  write_layer_facts(unpacked.directory, layer.diff_id, content.size);
  diff_ids_[layer.blob] = content.diff_id;
  layer_sizes_[layer.chain_id] = content.size;
  staged_layers_.emplace(layer.chain_id, std::move(unpacked.directory));
} catch (const Error& error) {
  if (error.error_class() == ErrorClass::kCancelled || error.message().starts_with("layer ")) throw;
  rethrow_for_layer(layer, error);
}

// An empty directory where nobody has unpacked it, or another place in the images has taken it.
EarlyLayer LoadStaging::take_early(const LayerRecord& layer) {
  auto found = early_layers_.extract(layer.blob);
  return found ? std::move(found.mapped()) : EarlyLayer{};
}

void LoadStaging::verify(const LayerRecord& layer) {
  auto computed = diff_ids_.find(layer.blob);
  if (computed == diff_ids_.end()) {
    const UniqueFd blob = open_file(blobs_.at(layer.blob), O_RDONLY);
    computed = diff_ids_.emplace(layer.blob, layer_diff_id(file_source(blob.get(), layer.blob), stop_)).first;
  }
  check_diff_id(layer.diff_id, computed->second);
}

std::vector<std::string> LoadStaging::publish() {
  std::vector<std::string> moved;
  for (const auto& [digest, path] : blobs_) rename_path(path, layout_.blob(digest));
  for (const auto& [chain, directory] : staged_layers_) {
    const auto target = layout_.layer(chain);
    if (path_exists(target / kLayerContent) && path_exists(target / kLayerFacts)) continue;  // another load was faster
    // Only a half of a layer there: somebody has been at the store's files.
    if (path_exists(target)) rename_path(target, layer_work_.path() / ("broken-" + target.filename().string()));
    rename_path(directory, target);
    moved.push_back(chain);
  }
  sync_directory(layout_.blobs);
  return moved;
}

}  // namespace quoll::mgr
