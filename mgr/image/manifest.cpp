#include "mgr/image/manifest.hpp"

#include <fcntl.h>

#include <array>
#include <nlohmann/json.hpp>

#include "mgr/image/decompressor.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

// The media type of a layer as it lies in the blob.
std::string layer_media_type(const SpooledFile& file) {
  const UniqueFd fd = open_file(file.path, O_RDONLY);
  std::array<char, 6> head{};
  const std::size_t got = file_source(fd.get(), file.digest)(head);
  switch (sniff_compression(std::span(head).first(got))) {
    case Compression::kGzip:
      return "application/vnd.oci.image.layer.v1.tar+gzip";
    case Compression::kZstd:
      return "application/vnd.oci.image.layer.v1.tar+zstd";
    default:
      return "application/vnd.oci.image.layer.v1.tar";
  }
}

json descriptor(const SpooledFile& file, std::string media_type) {
  return {{"mediaType", std::move(media_type)}, {"digest", file.digest}, {"size", file.size}};
}

}  // namespace

std::string make_manifest(const SpooledFile& config, const std::vector<SpooledFile>& layers) {
  json listed = json::array();
  for (const SpooledFile& layer : layers) listed.push_back(descriptor(layer, layer_media_type(layer)));
  return json{{"schemaVersion", 2},
              {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
              {"config", descriptor(config, "application/vnd.oci.image.config.v1+json")},
              {"layers", std::move(listed)}}
      .dump();
}

}  // namespace quoll::mgr
