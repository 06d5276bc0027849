// Image manifests that this host makes, in OCI's form: for images that came or were made without one.
#pragma once

#include <string>
#include <vector>

#include "mgr/image/archive_spool.hpp"

namespace quoll::mgr {

// The manifest of a configuration and its layers, base first. A layer's media type is found in its first bytes.
//
// Format:   https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md
std::string make_manifest(const SpooledFile& config, const std::vector<SpooledFile>& layers);

}  // namespace quoll::mgr
