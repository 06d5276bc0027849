// One push: an image of the store to a repository.
#pragma once

#include <string>

#include "mgr/image/image_store.hpp"
#include "mgr/image/reference.hpp"
#include "mgr/registry/progress.hpp"
#include "mgr/registry/registry_auth.hpp"
#include "mgr/registry/registry_hosts.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

struct PushRequest {
  Reference reference;  // with a tag
  RegistryCredentials credentials = {};
};

// Layers that the registry has are not sent; those that another repository of it has, as far as we know, are mounted
// from there. The others go up in one chunked request each. The manifest is the one that the image came with, so its
// digest stays.
//
// Cancel: at once; the registry forgets uploads that are not completed.
// Errors: kNotFound "An image does not exist locally with the tag: x"; the registry's words.
task::Task<void> push_image(RegistryHosts& hosts, ImageStore& store, PushRequest request, Progress& progress);

}  // namespace quoll::mgr
