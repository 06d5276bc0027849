#include "mgr/image/load_staging.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "mgr/image/decompressor.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "mgr/image/manifest.hpp"
#include "mgr/image/tar_reader.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

constexpr std::size_t kLayerFactsMax = 64 * 1024;

void make_directory(const std::filesystem::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) throw system_error(errno, "create " + path.string());
}

bool is_plain(int blob) {
  std::array<char, 6> head{};
  const ssize_t got = ::pread(blob, head.data(), head.size(), 0);
  return got >= 0 && sniff_compression(std::span(head).first(static_cast<std::size_t>(got))) == Compression::kNone;
}

[[noreturn]] void refuse_diff_id(const LayerRecord& layer, const std::string& actual) {
  throw Error(ErrorClass::kInvalidArgument,
              "layer " + layer.diff_id + ": digest mismatch, the uncompressed content is " + actual);
}

[[noreturn]] void rethrow_for_layer(const LayerRecord& layer, const Error& error) {
  throw Error(error.error_class(), "layer " + layer.diff_id + ": " + error.message());
}

}  // namespace

std::optional<std::int64_t> stored_layer_size(const StoreLayout& layout, std::string_view chain_id) try {
  const auto directory = layout.layer(chain_id);
  if (!path_exists(directory / kLayerContent) || !path_exists(directory / kLayerFacts)) return std::nullopt;
  const json facts = json::parse(read_file(directory / kLayerFacts, kLayerFactsMax), nullptr, false);
  if (facts.is_object()) {
    if (const auto size = facts.find("size"); size != facts.end() && size->is_number_integer()) {
      return size->get<std::int64_t>();
    }
  }
  throw Error(ErrorClass::kInternal, "layer " + std::string(chain_id) + " of the store is damaged");
} catch (const Error& error) {
  if (error.error_class() == ErrorClass::kNotFound) return std::nullopt;
  throw;
}

LoadStaging::LoadStaging(const StoreLayout& layout, std::stop_token stop)
    : layout_(layout), stop_(std::move(stop)), blob_work_(layout.images_work), layer_work_(layout.layers_work) {}

void LoadStaging::read(ByteSource source, const Platform& platform) {
  const ArchiveSpool spool = spool_archive(std::move(source), blob_work_.path(), stop_);
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
  bool unpacked = false;
  for (StagedImage& image : images_) {
    image.facts.size = 0;
    for (LayerRecord& layer : image.record.layers) {
      throw_if_stopped(stop_);
      if (!staged_layers_.contains(layer.chain_id)) {
        if (const auto size = stored_layer_size(layout_, layer.chain_id)) {
          layer_sizes_[layer.chain_id] = *size;
        } else {
          unpack(layer);
          unpacked = true;
        }
      }
      verify(layer);
      layer.size = layer_sizes_.at(layer.chain_id);
      image.facts.size += layer.size;
    }
  }
  // Thousands of small files: one flush for all before anything may refer to them.
  throw_if_stopped(stop_);
  if (unpacked) sync_file_system(layout_.layers);
  sync_file_system(layout_.images);
}

void LoadStaging::unpack(const LayerRecord& layer) try {
  const auto directory = layer_work_.path() / std::to_string(staged_layers_.size());
  make_directory(directory, 0700);
  make_directory(directory / kLayerContent, 0755);
  const UniqueFd blob = open_file(blobs_.at(layer.blob), O_RDONLY);
  const UniqueFd root = open_file(directory / kLayerContent, O_RDONLY | O_DIRECTORY);
  // The process's mask may have taken bits from the layer's root.
  if (::fchmod(root.get(), 0755) != 0) throw system_error(errno, "set mode of " + directory.string());
  LayerContent content;
  // The blob was digested when it was spooled: a plain tar need not be digested again.
  if (layer.blob == layer.diff_id && is_plain(blob.get())) {
    content = {layer.diff_id, unpack_plain_layer(file_source(blob.get(), layer.blob), root.get(), stop_)};
  } else {
    content = unpack_layer(file_source(blob.get(), layer.blob), root.get(), stop_);
  }
  if (content.diff_id != layer.diff_id) refuse_diff_id(layer, content.diff_id);
  const UniqueFd facts = open_file(directory / kLayerFacts, O_WRONLY | O_CREAT | O_EXCL);
  write_all(facts.get(), json{{"diff_id", layer.diff_id}, {"size", content.size}}.dump(), "layer facts");
  diff_ids_[layer.blob] = content.diff_id;
  layer_sizes_[layer.chain_id] = content.size;
  staged_layers_.emplace(layer.chain_id, directory);
} catch (const Error& error) {
  if (error.error_class() == ErrorClass::kCancelled || error.message().starts_with("layer ")) throw;
  rethrow_for_layer(layer, error);
}

void LoadStaging::verify(const LayerRecord& layer) {
  auto computed = diff_ids_.find(layer.blob);
  if (computed == diff_ids_.end()) {
    const UniqueFd blob = open_file(blobs_.at(layer.blob), O_RDONLY);
    computed = diff_ids_.emplace(layer.blob, layer_diff_id(file_source(blob.get(), layer.blob), stop_)).first;
  }
  if (computed->second != layer.diff_id) refuse_diff_id(layer, computed->second);
}

void LoadStaging::publish() {
  for (const auto& [digest, path] : blobs_) rename_path(path, layout_.blob(digest));
  for (const auto& [chain, directory] : staged_layers_) {
    const auto target = layout_.layer(chain);
    if (path_exists(target / kLayerContent) && path_exists(target / kLayerFacts)) continue;  // another load was faster
    // Only a half of a layer there: somebody has been at the store's files.
    if (path_exists(target)) rename_path(target, layer_work_.path() / ("broken-" + target.filename().string()));
    rename_path(directory, target);
  }
  sync_directory(layout_.blobs);
  sync_directory(layout_.layers);
}

}  // namespace quoll::mgr
