#include "mgr/image/image_hold.hpp"

#include "mgr/image/image_store.hpp"

namespace quoll::mgr {

void ImageHold::add(const std::string& image_id) {
  if (ids_.insert(image_id).second) ++store_.held_images_[image_id];
}

Image ImageHold::take(const std::string& name) {
  const std::lock_guard lock(store_.mutex_);
  Image image = store_.snapshot(store_.index_.resolve(name));
  add(image.id);
  return image;
}

std::optional<Image> ImageHold::take_built(const std::string& parent_id,
                                           const std::function<bool(const Image&)>& fits) {
  const std::lock_guard lock(store_.mutex_);
  const Image* newest = nullptr;
  for (const auto& [id, facts] : store_.facts_) {
    const ImageRecord& record = store_.index_.images.at(id);
    if (record.build == BuildRole::kNone || record.parent != parent_id || record.removed || !fits(*facts)) continue;
    if (newest == nullptr || facts->created > newest->created) newest = facts.get();
  }
  if (newest == nullptr) return std::nullopt;
  add(newest->id);
  return store_.snapshot(newest->id);
}

void ImageHold::release() noexcept {
  const std::lock_guard lock(store_.mutex_);
  for (const std::string& id : ids_) {
    const auto held = store_.held_images_.find(id);
    if (--held->second == 0) store_.held_images_.erase(held);
  }
  ids_.clear();
}

}  // namespace quoll::mgr
