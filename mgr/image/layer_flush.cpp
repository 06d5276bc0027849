// Layers on their way to the disk: flushed behind the answer, and unpacked again where a crash was faster.
#include "mgr/image/durable_file.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/layer_directory.hpp"
#include "mgr/image/remove_tree.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {
constexpr std::size_t kBootIdMax = 256;
}  // namespace

std::string kernel_boot_id() {
  std::string id = read_file("/proc/sys/kernel/random/boot_id", kBootIdMax);
  while (id.ends_with('\n')) id.pop_back();
  return id;
}

// REQUIRES: mutex_. The next commit() writes it down.
void ImageStore::note_unflushed(const std::string& chain_id) { unflushed_[chain_id] = ++unflushed_count_; }

void ImageStore::flush_layers() {
  std::map<std::string, std::uint64_t> flushed;
  {
    const std::lock_guard lock(mutex_);
    flushed = unflushed_;
  }
  if (flushed.empty()) return;
  sync_file_system(layout_.layers);
  const std::lock_guard lock(mutex_);
  for (const auto& [chain, number] : flushed) {
    // Removed and unpacked anew meanwhile, it is another one.
    const auto found = unflushed_.find(chain);
    if (found != unflushed_.end() && found->second == number) unflushed_.erase(found);
  }
  if (!index_.unflushed.chains.empty()) commit(index_);
}

// At the start, before anything is looked at: layers that were not flushed when the kernel ended may be there in part.
void ImageStore::restore_layers() {
  if (index_.unflushed.chains.empty()) return;
  if (index_.unflushed.boot == options_.boot_id) {
    for (const std::string& chain : index_.unflushed.chains) note_unflushed(chain);
    if (options_.on_unflushed) options_.on_unflushed();
    return;
  }
  for (const std::string& chain : index_.unflushed.chains) remove_tree(layout_.layer(chain));
  const TemporaryDirectory work(layout_.layers_work);
  for (const auto& [id, record] : index_.images) {
    for (const LayerRecord& layer : record.layers) {
      if (!index_.unflushed.chains.contains(layer.chain_id) || path_exists(layout_.layer(layer.chain_id))) continue;
      try {
        restore_layer(layer, work.path());
      } catch (const Error&) {
        // The image is listed among damaged(), and loading it again repairs it.
      }
    }
  }
  sync_file_system(layout_.layers);
  commit(index_);
}

void ImageStore::restore_layer(const LayerRecord& layer, const std::filesystem::path& work) const {
  const auto directory = work / digest_hex(layer.chain_id);
  const LayerContent content = unpack_blob(layout_.blob(layer.blob), layer.blob, directory, {});
  if (content.diff_id != layer.diff_id) {
    throw Error(ErrorClass::kInternal, "layer " + layer.diff_id + ": its blob is damaged");
  }
  write_layer_facts(directory, layer.diff_id, content.size);
  rename_path(directory, layout_.layer(layer.chain_id));
}

}  // namespace quoll::mgr
