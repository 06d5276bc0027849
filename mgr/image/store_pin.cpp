#include "mgr/image/store_pin.hpp"

#include <fcntl.h>

#include "mgr/image/durable_file.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/layer_directory.hpp"
#include "mgr/image/remove_tree.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

bool StorePin::hold_blob(const std::string& digest) {
  const std::lock_guard lock(store_.mutex_);
  if (blobs_.insert(digest).second) ++store_.pinned_blobs_[digest];
  return path_exists(store_.layout_.blob(digest));
}

std::optional<std::int64_t> StorePin::hold_layer(const std::string& chain_id) {
  const std::lock_guard lock(store_.mutex_);
  if (chains_.insert(chain_id).second) ++store_.pinned_chains_[chain_id];
  return stored_layer_size(store_.layout_, chain_id);
}

void StorePin::put_blob(const std::string& digest, const std::filesystem::path& file) {
  hold_blob(digest);
  const std::lock_guard lock(store_.mutex_);
  rename_path(file, store_.layout_.blob(digest));
}

std::string StorePin::put_blob_text(const std::string& text) {
  const std::string digest = sha256_digest(text);
  if (hold_blob(digest)) return digest;
  const TemporaryDirectory work(store_.layout_.images_work);
  const auto path = work.path() / "blob";
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL);
  write_all(fd.get(), text, path.string());
  sync_file(fd.get(), path.string());
  put_blob(digest, path);
  return digest;
}

void StorePin::put_layer(const std::string& chain_id, const std::string& diff_id, std::int64_t size,
                         const std::filesystem::path& directory) {
  if (hold_layer(chain_id)) return;
  write_layer_facts(directory, diff_id, size);
  const std::lock_guard lock(store_.mutex_);
  if (stored_layer_size(store_.layout_, chain_id)) return;
  const auto target = store_.layout_.layer(chain_id);
  // Only a half of a layer there: somebody has been at the store's files.
  if (path_exists(target)) rename_path(target, directory / "broken");
  rename_path(directory, target);
  store_.note_unflushed(chain_id);
}

void StorePin::release() noexcept {
  if (blobs_.empty() && chains_.empty()) return;
  std::vector<std::filesystem::path> trash;
  try {
    const std::lock_guard lock(store_.mutex_);
    std::vector<std::string> blobs;
    std::vector<LayerRecord> layers;
    for (const std::string& digest : blobs_) {
      if (--store_.pinned_blobs_[digest] > 0) continue;
      store_.pinned_blobs_.erase(digest);
      blobs.push_back(digest);
    }
    for (const std::string& chain : chains_) {
      if (--store_.pinned_chains_[chain] > 0) continue;
      store_.pinned_chains_.erase(chain);
      layers.push_back({.chain_id = chain});
    }
    trash = store_.collect(layers, blobs);
  } catch (const std::exception&) {
    // No memory for the lists: the content stays until the next start.
  }
  blobs_.clear();
  chains_.clear();
  for (const auto& path : trash) remove_tree(path);
}

}  // namespace quoll::mgr
