// Manifests and indexes of a registry, OCI's and Docker's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/image/archive_images.hpp"

namespace quoll::mgr {

inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
// For an Accept header.
std::string accepted_manifests();

struct ContentDescriptor {
  std::string media_type;
  std::string digest;
  std::int64_t size = 0;
  std::optional<Platform> platform;  // in an index
};

struct Manifest {
  std::string text;  // the bytes that its digest is of
  std::string digest;
  std::string media_type;
  bool is_index = false;
  std::vector<ContentDescriptor> manifests;  // of an index, attestations left out
  ContentDescriptor config;                  // of an image
  std::vector<ContentDescriptor> layers;     // of an image, base first
};

// `content_type` decides where the document itself does not say what it is.
//
// Errors: kInvalidArgument for anything but the four types; kNotImplemented for schema version 1.
Manifest parse_manifest(std::string text, std::string_view content_type);

// The entry of an index that fits best.
//
// Errors: kNotFound "no matching manifest for linux/arm64 in the manifest list entries".
const ContentDescriptor& choose_platform(const std::vector<ContentDescriptor>& manifests, const Platform& wanted);

}  // namespace quoll::mgr
