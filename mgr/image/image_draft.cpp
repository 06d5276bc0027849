#include "mgr/image/image_draft.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "mgr/image/archive_images.hpp"
#include "mgr/image/digest.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/layer_directory.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "mgr/image/manifest.hpp"
#include "mgr/image/store_pin.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

// Of a tar of two zero blocks: Docker's clients know such a layer as none.
constexpr std::string_view kEmptyLayer = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

// Passes bytes on and keeps them as a blob.
struct BlobCopy {
  ByteSource source;
  UniqueFd file;
  Sha256 digest;

  std::size_t operator()(std::span<char> buffer) {
    const std::size_t got = source(buffer);
    write_all(file.get(), buffer.first(got), "layer");
    digest.update(buffer.first(got));
    return got;
  }
};

SpooledFile stored_blob(const ImageStore& store, const std::string& digest) {
  const auto path = store.layout().blob(digest);
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) throw system_error(errno, "blob " + digest);
  return {path, status.st_size, digest};
}

// The parent's layers, held from here on.
std::vector<LayerRecord> hold_parent(ImageStore& store, StorePin& pin, const std::string& parent_id) {
  const std::vector<LayerRecord> layers = store.layers_of(parent_id);
  for (const LayerRecord& layer : layers) {
    if (!pin.hold_layer(layer.chain_id) || !pin.hold_blob(layer.blob)) {
      throw Error(ErrorClass::kNotFound, "No such image: " + parent_id);  // removed in this very moment
    }
  }
  return layers;
}

json parent_history(const ImageStore& store, const std::string& parent_id) {
  const json config = json::parse(store.read_blob(parent_id), nullptr, false);
  const auto history = config.is_object() ? config.find("history") : config.end();
  return history != config.end() && history->is_array() ? *history : json::array();
}

}  // namespace

LayerRecord store_layer(ImageStore& store, StorePin& pin, const std::string& parent_chain_id, ByteSource tar,
                        const std::stop_token& stop) {
  const TemporaryDirectory blob_work(store.layout().images_work);
  const TemporaryDirectory layer_work(store.layout().layers_work);
  const auto directory = layer_work.path() / "layer";
  const auto blob_path = blob_work.path() / "blob";
  BlobCopy copy{std::move(tar), open_file(blob_path, O_WRONLY | O_CREAT | O_EXCL), {}};
  const UniqueFd root = make_layer_directory(directory);
  const LayerContent content = unpack_layer(std::ref(copy), root.get(), stop);
  sync_file(copy.file.get(), "layer");

  LayerRecord record;
  record.diff_id = content.diff_id;
  record.chain_id = chain_id(parent_chain_id, content.diff_id);
  record.blob = copy.digest.finish_digest();
  record.size = content.size;
  pin.put_blob(record.blob, blob_path);
  pin.put_layer(record.chain_id, record.diff_id, record.size, directory);
  return record;
}

Image create_image(ImageStore& store, ImageDraft draft, ByteSource layer, const std::stop_token& stop) {
  StorePin pin(store);
  NewImage image;
  json history = json::array();
  if (!draft.parent_id.empty()) {
    image.layers = hold_parent(store, pin, draft.parent_id);
    history = parent_history(store, draft.parent_id);
  }
  bool is_empty = true;
  if (layer) {
    const std::string parent_chain = image.layers.empty() ? "" : image.layers.back().chain_id;
    LayerRecord record = store_layer(store, pin, parent_chain, std::move(layer), stop);
    is_empty = record.diff_id == kEmptyLayer;
    if (!is_empty) image.layers.push_back(std::move(record));
  }
  throw_if_stopped(stop);
  if (is_empty) draft.history["empty_layer"] = true;
  history.push_back(std::move(draft.history));

  json diff_ids = json::array();
  for (const LayerRecord& record : image.layers) diff_ids.push_back(record.diff_id);
  draft.config["rootfs"] = {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}};
  draft.config["history"] = std::move(history);
  const std::string config = draft.config.dump(-1, ' ', false, json::error_handler_t::replace);
  if (config.size() > kMetadataMax) {
    throw Error(ErrorClass::kInvalidArgument,
                "the image's configuration would be larger than " + std::to_string(kMetadataMax) + " bytes");
  }
  image.config = pin.put_blob_text(config);
  std::vector<SpooledFile> blobs;
  for (const LayerRecord& record : image.layers) blobs.push_back(stored_blob(store, record.blob));
  image.manifest = pin.put_blob_text(make_manifest(stored_blob(store, image.config), blobs));
  image.parent = std::move(draft.parent_id);
  image.references = std::move(draft.references);
  image.build = draft.build;
  image.hold = draft.hold;
  return store.add_image(image);
}

}  // namespace quoll::mgr
