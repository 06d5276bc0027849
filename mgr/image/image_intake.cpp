// How images come into the store: loaded, made of content that a pin holds, or as a build's end.
#include <algorithm>

#include "mgr/image/image_hold.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/layer_directory.hpp"
#include "mgr/image/load_staging.hpp"
#include "mgr/image/remove_tree.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

LoadResult ImageStore::apply_load(ImageIndex& index, const LoadStaging& staging) const {
  LoadResult result;
  for (const StagedImage& image : staging.images()) {
    const std::string& id = image.facts.id;
    const auto known = index.images.find(id);
    if (known == index.images.end() || !facts_.contains(id)) {
      index.images[id] = image.record;
    } else {
      // The same image again, perhaps compressed otherwise: what is here stays.
      known->second.removed = false;
    }
    if (std::ranges::find(result.image_ids, id) == result.image_ids.end()) result.image_ids.push_back(id);
    const std::size_t before = result.messages.size();
    for (const Reference& reference : image.references) set_reference(index, reference, id, &result);
    if (result.messages.size() == before) result.messages.push_back("Loaded image ID: " + id);
  }
  return result;
}

LoadResult ImageStore::load(const ByteSource& source, std::stop_token stop, const std::optional<Platform>& platform) {
  LoadStaging staging(layout_, stop);
  staging.read(source, platform.value_or(options_.platform));
  for (const StagedImage& image : staging.images()) {
    if (!platform || is_of(image.facts.platform(), *platform)) continue;
    throw Error(ErrorClass::kNotFound, "image " + image.facts.id + " is for " + to_string(image.facts.platform()) +
                                           ", not for " + to_string(*platform));
  }
  Trash trash;
  LoadResult result;
  std::unique_lock lock(mutex_, std::defer_lock);
  while (true) {
    staging.prepare_layers();
    lock.lock();
    // A removal may have taken a layer that this load counted on: then unpack it after all.
    if (staging.has_all_layers()) break;
    lock.unlock();
  }
  std::vector<LayerRecord> layers;
  std::vector<std::string> blobs;
  for (const StagedImage& image : staging.images()) {
    layers.insert(layers.end(), image.record.layers.begin(), image.record.layers.end());
    std::ranges::move(blobs_of(image.facts.id, image.record), std::back_inserter(blobs));
  }
  try {
    for (const std::string& chain : staging.publish()) note_unflushed(chain);
    ImageIndex next = index_;
    const ImageIndex before = index_;
    result = apply_load(next, staging);
    commit(std::move(next));
    for (const StagedImage& image : staging.images()) {
      const auto& facts = facts_[image.facts.id];
      if (!facts) facts_[image.facts.id] = std::make_shared<Image>(image.facts);
    }
    for (const std::string& id : result.image_ids) tell("load", id, id);
    trash = collect_dropped(before);
  } catch (...) {
    trash = collect(layers, blobs);
    lock.unlock();
    remove_trees(trash);
    throw;
  }
  std::ranges::move(collect(layers, blobs), std::back_inserter(trash));
  lock.unlock();
  remove_trees(trash);
  return result;
}

Image ImageStore::add_image(const NewImage& image) {
  Image facts = parse_image_config(read_blob(image.config));
  facts.manifest = image.manifest;
  if (facts.id != image.config || facts.diff_ids.size() != image.layers.size()) {
    throw Error(ErrorClass::kInvalidArgument, "image " + image.config + ": the layers do not fit the configuration");
  }
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    if (image.layers[i].chain_id != facts.chain_ids[i] || image.layers[i].diff_id != facts.diff_ids[i]) {
      throw Error(ErrorClass::kInvalidArgument, "image " + image.config + ": the layers do not fit the configuration");
    }
    facts.size += image.layers[i].size;
  }
  const std::lock_guard lock(mutex_);
  ImageIndex next = index_;
  ImageRecord& record = next.images[image.config];
  if (!facts_.contains(image.config)) {
    record = {image.manifest, image.layers, record.last_tagged, false, image.parent, image.build};
  }
  record.removed = false;
  for (const std::string& blob : blobs_of(image.config, record)) {
    if (!path_exists(layout_.blob(blob))) throw Error(ErrorClass::kInternal, "image store: no blob " + blob);
  }
  for (const LayerRecord& layer : record.layers) {
    if (!stored_layer_size(layout_, layer.chain_id)) {
      throw Error(ErrorClass::kInternal, "image store: no layer " + layer.chain_id);
    }
  }
  for (const Reference& reference : image.references) set_reference(next, reference, image.config, nullptr);
  commit(std::move(next));
  auto& known = facts_[image.config];
  if (!known) known = std::make_shared<Image>(std::move(facts));
  if (image.hold != nullptr) image.hold->add(image.config);
  return snapshot(image.config);
}

Image ImageStore::finish_build(const std::string& image_id, const std::vector<Reference>& references) {
  const std::lock_guard lock(mutex_);
  const auto found = index_.images.find(image_id);
  if (found == index_.images.end()) throw Error(ErrorClass::kNotFound, "No such image: " + image_id);
  const bool is_new = found->second.build == BuildRole::kStep;
  if (!is_new && references.empty()) return snapshot(image_id);
  ImageIndex next = index_;
  if (is_new) next.images.at(image_id).build = BuildRole::kResult;
  for (const Reference& reference : references) set_reference(next, reference, image_id, nullptr);
  commit(std::move(next));
  if (is_new) tell("create", image_id, image_id);
  for (const Reference& reference : references) tell("tag", image_id, reference.familiar());
  return snapshot(image_id);
}

}  // namespace quoll::mgr
