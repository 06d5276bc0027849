// What images an archive holds: docker-archive (manifest.json) or OCI layout (index.json).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mgr/image/archive_spool.hpp"
#include "mgr/image/platform.hpp"
#include "mgr/image/reference.hpp"

namespace quoll::mgr {

// One image, its digests verified where the archive names any (in a docker-archive of old, paths name nothing: there
// only the diff ids in the configuration speak for the layers).
struct ArchiveImage {
  SpooledFile config;
  std::vector<SpooledFile> layers;  // base first, as many as the configuration has diff ids
  std::string manifest;             // the manifest's bytes; empty when the archive has none
  std::vector<Reference> references;
};

// Reads the archive's manifests. manifest.json decides when both are there, as it does for Docker.
//
// Errors:   kInvalidArgument, naming the blob or file that is missing or whose digest differs; kNotFound when an index
//           offers nothing for `platform`.
// Limits:   metadata files of at most kMetadataMax bytes, indexes nested at most kIndexDepthMax deep.
std::vector<ArchiveImage> read_archive_images(const ArchiveSpool& spool, const Platform& platform);

constexpr std::size_t kMetadataMax = 8 * 1024 * 1024;
constexpr int kIndexDepthMax = 4;

}  // namespace quoll::mgr
