// What the store needs on the disk, and the removal of what nobody needs.
#include <map>
#include <set>

#include "mgr/image/durable_file.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

// A layer or a blob, by digest.
struct Piece {
  std::int64_t bytes = 0;
  int users = 0;
  bool is_layer = false;
};

std::set<std::string> pieces_of(const std::string& id, const ImageRecord& record) {
  std::set<std::string> pieces;
  for (const LayerRecord& layer : record.layers) pieces.insert("layer " + layer.chain_id);
  for (const std::string& blob : blobs_of(id, record)) pieces.insert(blob);
  return pieces;
}

bool has_reference(const Image& image) { return !image.repo_tags.empty() || !image.repo_digests.empty(); }

}  // namespace

StoreUsage ImageStore::usage() const {
  StoreUsage usage;
  std::map<std::string, ImageRecord> records;
  {
    const std::lock_guard lock(mutex_);
    records = index_.images;
  }
  for (Image& image : list()) usage.images.push_back({std::move(image)});
  std::map<std::string, Piece> pieces;
  for (const auto& [id, record] : records) {
    for (const LayerRecord& layer : record.layers) pieces["layer " + layer.chain_id] = {layer.size, 0, true};
    for (const std::string& blob : blobs_of(id, record)) pieces[blob].bytes = size_on_disk(layout_.blob(blob));
  }
  for (const auto& [id, record] : records) {
    for (const std::string& piece : pieces_of(id, record)) ++pieces[piece].users;
  }
  for (const auto& [name, piece] : pieces) usage.bytes += piece.bytes;
  for (ImageUsage& each : usage.images) {
    const auto record = records.find(each.image.id);
    if (record == records.end()) continue;  // has come meanwhile
    each.manifest_bytes = pieces[record->second.manifest].bytes;
    for (const std::string& name : pieces_of(each.image.id, record->second)) {
      const Piece& piece = pieces[name];
      each.bytes += piece.bytes;
      if (piece.users < 2) continue;
      each.shared_bytes += piece.bytes;
      if (piece.is_layer) each.shared_size += piece.bytes;
    }
  }
  return usage;
}

// False where it is in use, or gone by now: then it is not for a prune.
bool ImageStore::remove_unneeded(const std::string& name, const RemoveOptions& options, const ImageUsers& users,
                                 const std::stop_token& stop, RemoveResult& total) {
  throw_if_stopped(stop);
  try {
    RemoveResult result = remove(name, options, users);
    std::ranges::move(result.items, std::back_inserter(total.items));
    total.freed_bytes += result.freed_bytes;
    return true;
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kConflict && error.error_class() != ErrorClass::kNotFound) throw;
  }
  return false;
}

RemoveResult ImageStore::prune(bool all, const std::function<bool(const Image&)>& wanted, const ImageUsers& users,
                               const std::stop_token& stop) {
  RemoveResult total;
  const auto remove_one = [&](const std::string& name) { remove_unneeded(name, {}, users, stop, total); };
  std::set<std::string> used;
  if (users) {
    for (const ImageUser& user : users()) used.insert(user.image_id);
  }
  for (const Image& image : list()) {
    if (used.contains(image.id) || (!all && has_reference(image)) || !wanted(image)) continue;
    if (!has_reference(image)) remove_one(image.id);
    for (const std::string& tag : image.repo_tags) remove_one(tag);
    for (const std::string& digest : image.repo_digests) remove_one(digest);
  }
  return total;
}

RemoveResult ImageStore::prune_build_steps(const std::function<bool(const Image&)>& wanted, const ImageUsers& users,
                                           const std::stop_token& stop) {
  RemoveResult total;
  // Each turn takes those that no other image stands on, and uncovers those below.
  for (bool changed = true; changed;) {
    changed = false;
    for (const Image& image : list()) {
      if (image.build != BuildRole::kStep || has_reference(image) || !wanted(image)) continue;
      changed = remove_unneeded(image.id, {.noprune = true}, users, stop, total) || changed;
    }
  }
  return total;
}

}  // namespace quoll::mgr
