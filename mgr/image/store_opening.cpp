// The store's opening: what is there, and what a crash has left.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "mgr/image/durable_file.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/layer_directory.hpp"
#include "mgr/image/remove_tree.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kIndexMax = 256 * 1024 * 1024;

// Nobody but the owner: layers hold programs that are setuid on this very host.
void make_private_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw system_error(errno, "create " + path.string());
}

std::vector<std::string> entries_of(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator each(directory, error), end; !error && each != end; each.increment(error)) {
    names.push_back(each->path().filename());
  }
  if (error) throw system_error(error.value(), "list " + directory.string());
  return names;
}

}  // namespace

ImageStore::ImageStore(std::filesystem::path root, ImageStoreOptions options)
    : layout_(root), options_(std::move(options)) {
  for (const auto& directory : {layout_.images, layout_.images / "blobs", layout_.blobs, layout_.images_work,
                                layout_.layers, layout_.layers_work}) {
    make_private_directory(directory);
  }
  lock_ = open_file(layout_.images / "lock", O_RDWR | O_CREAT);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error(ErrorClass::kUnavailable, "image store " + layout_.images.string() + " is in use by another process");
  }
  for (const auto& work : {layout_.images_work, layout_.layers_work}) {
    for (const std::string& name : entries_of(work)) remove_tree(work / name);
  }
  if (!path_exists(layout_.images / "oci-layout")) {
    replace_file(layout_.images / "oci-layout", layout_.images_work / "oci-layout",
                 R"({"imageLayoutVersion":"1.0.0"})");
  }
  open_index();
  sweep_strays();
}

ImageStore::~ImageStore() {
  try {
    flush_layers();
  } catch (const std::exception&) {
    // The next start sees to those that stay noted.
  }
}

void ImageStore::open_index() {
  if (!path_exists(layout_.index)) return;
  index_ = ImageIndex::from_json(read_file(layout_.index, kIndexMax));
  restore_layers();
  for (const auto& [id, record] : index_.images) {
    if (auto facts = read_facts(id, record)) facts_.emplace(id, std::move(facts));
  }
}

// nullptr when something of the image is missing or wrong.
std::shared_ptr<const Image> ImageStore::read_facts(const std::string& id, const ImageRecord& record) const try {
  auto image = std::make_shared<Image>(parse_image_config(read_file(layout_.blob(id), kMetadataMax)));
  if (image->id != id || image->chain_ids.size() != record.layers.size()) return nullptr;
  for (const LayerRecord& layer : record.layers) {
    if (!path_exists(layout_.layer(layer.chain_id) / kLayerContent)) return nullptr;
    image->size += layer.size;
  }
  image->manifest = record.manifest;
  return image;
} catch (const Error&) {
  return nullptr;
}

// What a crash left behind between the moving in of content and the writing of the index, or the other way round.
void ImageStore::sweep_strays() {
  const auto blobs = index_.used_blobs();
  for (const std::string& name : entries_of(layout_.blobs)) {
    if (!blobs.contains("sha256:" + name)) remove_tree(layout_.blobs / name);
  }
  const auto chains = index_.used_chains();
  for (const std::string& name : entries_of(layout_.layers)) {
    if (name != layout_.layers_work.filename() && !chains.contains("sha256:" + name)) {
      remove_tree(layout_.layers / name);
    }
  }
}

}  // namespace quoll::mgr
