#include "mgr/image/image_store.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <tuple>

#include "mgr/event/event_bus.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/layer_directory.hpp"
#include "mgr/image/remove_tree.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

// --- Reading ---------------------------------------------------------------------------------------------------------

Image ImageStore::snapshot(const std::string& id) const {
  const auto facts = facts_.find(id);
  if (facts == facts_.end()) {
    throw Error(ErrorClass::kInternal, "image " + id + " is damaged: load it again");
  }
  Image image = *facts->second;
  image.last_tagged = index_.images.at(id).last_tagged;
  image.parent = index_.images.at(id).parent;
  image.build = index_.images.at(id).build;
  for (const std::string& canonical : index_.references_of(id)) {
    const Reference reference = parse_reference_as_written(canonical);
    (reference.digest.empty() ? image.repo_tags : image.repo_digests).push_back(reference.familiar());
  }
  std::ranges::sort(image.repo_tags);
  std::ranges::sort(image.repo_digests);
  return image;
}

std::vector<Image> ImageStore::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Image> images;
  for (const auto& [id, facts] : facts_) {
    if (!index_.images.at(id).removed) images.push_back(snapshot(id));
  }
  std::ranges::sort(images, [](const Image& a, const Image& b) {
    return std::tie(b.created_seconds, a.id) < std::tie(a.created_seconds, b.id);
  });
  return images;
}

Image ImageStore::get(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return snapshot(index_.resolve(name));
}

std::set<std::string> ImageStore::with_descendants(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  try {
    return index_.with_descendants(index_.resolve(name));
  } catch (const Error&) {  // no such image, several, or no name at all
    return {};
  }
}

std::vector<std::filesystem::path> ImageStore::layer_directories(const std::string& image_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = index_.images.find(image_id);
  if (found == index_.images.end()) throw Error(ErrorClass::kNotFound, "No such image: " + image_id);
  std::vector<std::filesystem::path> directories;
  for (auto layer = found->second.layers.rbegin(); layer != found->second.layers.rend(); ++layer) {
    directories.push_back(layout_.layer(layer->chain_id) / kLayerContent);
  }
  return directories;
}

std::vector<std::string> ImageStore::damaged() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, record] : index_.images) {
    if (!facts_.contains(id)) ids.push_back(id);
  }
  return ids;
}

// --- Changing --------------------------------------------------------------------------------------------------------

// REQUIRES: mutex_. The index in memory changes only when the one on disk has.
void ImageStore::commit(ImageIndex next) {
  next.unflushed = {};
  for (const std::string& chain : next.used_chains()) {
    if (unflushed_.contains(chain)) next.unflushed.chains.insert(chain);
  }
  if (!next.unflushed.chains.empty()) {
    next.unflushed.boot = options_.boot_id;
    if (options_.on_unflushed) options_.on_unflushed();
  }
  replace_file(layout_.index, layout_.images_work / "references.json", next.to_json());
  index_ = std::move(next);
  sync_directory(layout_.images);
}

std::string ImageStore::timestamp() const {
  const auto now = options_.now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now);
  const auto fraction = std::chrono::duration_cast<std::chrono::nanoseconds>(now - seconds).count();
  const std::time_t time = seconds.count();
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%09ldZ", static_cast<long>(fraction));
  return text.data();
}

// REQUIRES: mutex_.
void ImageStore::tell(std::string action, const std::string& id, std::string name) const {
  if (options_.events == nullptr) return;
  Event event{"image", std::move(action), id, {}, 0};
  if (const auto facts = facts_.find(id); facts != facts_.end()) event.attributes = facts->second->labels();
  event.attributes["name"] = std::move(name);
  options_.events->publish(std::move(event));
}

void ImageStore::set_reference(ImageIndex& index, const Reference& reference, const std::string& id,
                               LoadResult* result) const {
  const bool is_tag = reference.digest.empty();
  std::string& target = index.references[reference.canonical()];
  if (result != nullptr && is_tag && !target.empty() && target != id) {
    result->messages.push_back("The image " + reference.familiar() + " already exists, renaming the old one with ID " +
                               target + " to empty string");
  }
  target = id;
  if (is_tag) index.images.at(id).last_tagged = timestamp();
  if (result != nullptr && is_tag) result->messages.push_back("Loaded image: " + reference.familiar());
}

void ImageStore::tag(const std::string& name, const std::string& reference) {
  const Reference parsed = parse_reference(reference);
  if (!parsed.digest.empty())
    throw Error(ErrorClass::kInvalidArgument, "refusing to create a tag with a digest reference");
  const std::lock_guard lock(mutex_);
  ImageIndex next = index_;
  const std::string id = index_.resolve(name);
  set_reference(next, parsed, id, nullptr);
  commit(std::move(next));
  tell("tag", id, parsed.familiar());
}

Image ImageStore::image_of(const std::string& image_id) const {
  const std::lock_guard lock(mutex_);
  if (!index_.images.contains(image_id)) throw Error(ErrorClass::kNotFound, "No such image: " + image_id);
  return snapshot(image_id);
}

void ImageStore::publish(std::string action, const std::string& name) const {
  const std::lock_guard lock(mutex_);
  try {
    tell(std::move(action), index_.resolve(name), name);
  } catch (const Error&) {
    // Removed meanwhile.
  }
}

std::vector<LayerRecord> ImageStore::layers_of(const std::string& image_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = index_.images.find(image_id);
  if (found == index_.images.end()) throw Error(ErrorClass::kNotFound, "No such image: " + image_id);
  return found->second.layers;
}

std::string ImageStore::read_blob(const std::string& digest) const {
  return read_file(layout_.blob(digest), kMetadataMax);
}

// REQUIRES: mutex_. Who holds an image counts as a container that runs.
std::vector<ImageUser> ImageStore::users_and_holds(const ImageUsers& users) const {
  std::vector<ImageUser> all = users ? users() : std::vector<ImageUser>();
  for (const auto& [id, count] : held_images_) all.push_back({"of a build", id, true});
  return all;
}

RemoveResult ImageStore::remove(const std::string& name, const RemoveOptions& options, const ImageUsers& users) {
  Trash trash;
  RemoveResult result;
  {
    const std::lock_guard lock(mutex_);
    const ImageIndex before = index_;
    ImageIndex next = index_;
    const std::string id = index_.resolve(name);
    result = apply_removal(next, name, options, users_and_holds(users));
    commit(std::move(next));
    for (const RemoveItem& item : result.items) {
      if (item.kind == RemoveItem::Kind::kUntagged) tell("untag", id, id);
      if (item.kind == RemoveItem::Kind::kDeleted && item.name == id) tell("delete", id, id);
    }
    const std::int64_t freed_before = freed_bytes_;
    trash = collect_dropped(before);
    result.freed_bytes = freed_bytes_ - freed_before;
  }
  remove_trees(trash);
  return result;
}

void ImageStore::release_unused(const ImageUsers& users) {
  Trash trash;
  {
    const std::lock_guard lock(mutex_);
    ImageIndex next = index_;
    if (!drop_unused(next, users_and_holds(users))) return;
    const ImageIndex before = index_;
    commit(std::move(next));
    trash = collect_dropped(before);
  }
  remove_trees(trash);
}

// REQUIRES: mutex_. What the records of `before` needed and today's do not.
ImageStore::Trash ImageStore::collect_dropped(const ImageIndex& before) {
  std::vector<LayerRecord> layers;
  std::vector<std::string> blobs;
  for (const auto& [id, record] : before.images) {
    if (!index_.images.contains(id)) facts_.erase(id);
    layers.insert(layers.end(), record.layers.begin(), record.layers.end());
    std::ranges::move(blobs_of(id, record), std::back_inserter(blobs));
  }
  return collect(layers, blobs);
}

// REQUIRES: mutex_. Takes those of the layers and blobs that no image needs out of the store, with one rename each, and
// returns where they lie now: removing a tree takes long, and is for after the lock.
ImageStore::Trash ImageStore::collect(const std::vector<LayerRecord>& layers, const std::vector<std::string>& blobs) {
  Trash trash;
  const auto used_blobs = index_.used_blobs();
  for (const std::string& blob : blobs) {
    if (used_blobs.contains(blob) || pinned_blobs_.contains(blob)) continue;
    const std::int64_t size = size_on_disk(layout_.blob(blob));
    if (::unlink(layout_.blob(blob).c_str()) == 0) freed_bytes_ += size;
  }
  const auto used_chains = index_.used_chains();
  for (const LayerRecord& layer : layers) {
    if (used_chains.contains(layer.chain_id) || pinned_chains_.contains(layer.chain_id)) continue;
    const auto target = layout_.layers_work / ("removed-" + std::to_string(++trash_count_));
    if (::rename(layout_.layer(layer.chain_id).c_str(), target.c_str()) != 0) continue;
    unflushed_.erase(layer.chain_id);
    trash.push_back(target);
    freed_bytes_ += layer.size;
  }
  return trash;
}

}  // namespace quoll::mgr
