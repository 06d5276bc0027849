// One layer from a registry into the image store: downloaded, verified, decompressed and unpacked at the same time.
#pragma once

#include <filesystem>
#include <string>

#include "mgr/image/image_store.hpp"
#include "mgr/image/store_pin.hpp"
#include "mgr/registry/progress.hpp"
#include "mgr/registry/registry_manifest.hpp"
#include "mgr/registry/registry_session.hpp"
#include "task/blocking.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

struct LayerFetch {
  ContentDescriptor blob;
  std::string diff_id;
  std::string chain_id;
  std::string row;     // "a1b2c3d4e5f6", its name in the progress
  bool unpack = true;  // false: the store has it unpacked, and lacks the blob only

  std::filesystem::path blob_file;        // to be made
  std::filesystem::path layer_directory;  // the same; not used where it is not unpacked
  std::int64_t plain_bytes_max = 0;
};

// A thread decompresses and unpacks what the task downloads and digests; a pipe of a megabyte is
// between them. Blob and layer are put into the store (`pin`) once both digests are right.
//
// Cancel: at once; the caller drops `blob_file` and `layer_directory`, as after an error.
// Errors: as of download_blob(), of unpack_layer(); kInvalidArgument for a wrong digest or diff id. Of a blob that is
//         not the one asked for, its digest or length is what is reported, whatever else is wrong with it.
task::Task<void> fetch_layer(RegistrySession& session, StorePin& pin, Progress& progress, LayerFetch layer);

}  // namespace quoll::mgr
