// ImageHold: images that something on its way stands on, a build above all.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "mgr/image/image.hpp"

namespace quoll::mgr {

class ImageStore;

// While a hold has an image, no removal and no prune takes it, nor what it was made from: it counts as in use, as by a
// running container.
//
// Lifetime: the store outlives it.
// Thread:   one at a time. Every method may block on the disk.
class ImageHold {
 public:
  explicit ImageHold(ImageStore& store) : store_(store) {}
  ~ImageHold() { release(); }
  ImageHold(const ImageHold&) = delete;
  ImageHold& operator=(const ImageHold&) = delete;

  // As ImageStore::get(), and held from that moment on.
  Image take(const std::string& name);

  // The newest of the images that builds have made from `parent_id` ("": from nothing), and that `fits`.
  std::optional<Image> take_built(const std::string& parent_id, const std::function<bool(const Image&)>& fits);

  void release() noexcept;

 private:
  friend class ImageStore;
  // REQUIRES: the store's mutex.
  void add(const std::string& image_id);

  ImageStore& store_;
  std::set<std::string> ids_;
};

}  // namespace quoll::mgr
