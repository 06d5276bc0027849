// Where the image store keeps what.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "mgr/image/digest.hpp"

namespace quoll::mgr {

// Both `work` directories are on the file system of what is renamed out of them; all in them is dropped at the start.
struct StoreLayout {
  explicit StoreLayout(const std::filesystem::path& root)
      : images(root / "images"),
        blobs(images / "blobs" / "sha256"),
        index(images / "references.json"),
        images_work(images / "work"),
        layers(root / "layers"),
        layers_work(layers / "work") {}

  std::filesystem::path blob(std::string_view digest) const { return blobs / digest_hex(digest); }
  std::filesystem::path layer(std::string_view chain_id) const { return layers / digest_hex(chain_id); }

  std::filesystem::path images, blobs, index, images_work, layers, layers_work;
};

// In a layer's directory.
inline constexpr std::string_view kLayerContent = "diff";
inline constexpr std::string_view kLayerFacts = "layer.json";

}  // namespace quoll::mgr
