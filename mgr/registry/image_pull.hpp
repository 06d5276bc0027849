// One pull: from a reference to an image in the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mgr/image/image_store.hpp"
#include "mgr/image/reference.hpp"
#include "mgr/registry/blob_arrivals.hpp"
#include "mgr/registry/layer_turns.hpp"
#include "mgr/registry/manifest_fetch.hpp"
#include "mgr/registry/progress.hpp"
#include "mgr/registry/registry_auth.hpp"
#include "mgr/registry/registry_hosts.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

struct PullRequest {
  Reference reference;  // with a tag or a digest
  std::optional<Platform> platform = {};
  RegistryCredentials credentials = {};

  friend bool operator==(const PullRequest&, const PullRequest&) = default;
};

// What all pulls of a daemon share.
struct PullMeans {
  RegistryHosts& hosts;
  ImageStore& store;
  LayerTurns& downloads;  // by registry and blob
  LayerTurns& unpacks;    // of blobs that the store has, by chain id
  BlobArrivals& arrivals;
  std::int64_t plain_bytes_max;  // of one uncompressed layer
};

struct PulledImage {
  std::string id;
  std::string digest;  // of what the reference names: a manifest or an index
};

// Layers come side by side, and each goes into the store when it is complete, held by a pin until the image is made.
//
// A layer that another pull fetches from the same registry is waited for, and fetched after all where that one fails or
// is cancelled. From another registry it is fetched side by side, and whoever has it first ends the others.
//
// Cancel: nothing of it remains, but for layers that another pull shares.
// Errors: those of Docker's pull. kNotFound "manifest for x:y not found: ...", "pull access denied for x, ...".
task::Task<PulledImage> pull_image(PullMeans means, PullRequest request, Progress& progress);

}  // namespace quoll::mgr
