// The files of a build: sources of COPY and ADD, found and digested, and copied into a root that a step changes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/files/container_root.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/tree_writer.hpp"

namespace quoll::mgr {

// All functions block on the disk; from any thread. Nothing is looked up but below the roots that are given, which are
// descriptors of directories.
// Cancel: kCancelled.

// Takes out of the context what .dockerignore names.
void apply_dockerignore(int context, std::string_view text, const std::stop_token& stop);

// The clean paths below `root` that `pattern` fits, sorted; a plain name fits itself. A malformed pattern fits nothing:
// dockerd takes it so.
//
// Errors: in Docker's words; kNotFound for a plain name that is not there, and for a link that fits and leads to
//         nothing; kInvalidArgument for a pattern that leads out.
std::vector<std::string> find_sources(int root, const std::string& pattern, const std::stop_token& stop);

bool is_directory_in(int root, const std::string& path);

// Whether an open file is a tar in any compression. It is left where it is.
bool is_tar(int file);

// A digest of names, kinds, modes, owners, link targets, device numbers and contents, and of no times: what decides
// whether a step must be done again.
std::string digest_tree(int root, const std::string& path, const std::stop_token& stop);

// The root of an image as a step sees and changes it.
//
// Lifetime: an ImageHold of the caller's keeps the image. What it has on disk goes with it.
class BuildRoot {
 public:
  // An empty id is an empty root.
  BuildRoot(const ImageStore& store, const std::string& image_id);

  int fd() const { return root_->fd(); }
  // The changes, as a layer's tar. REQUIRES: nobody changes the root any more.
  ByteSource layer(std::stop_token stop) const;

 private:
  TemporaryDirectory work_;
  std::optional<ContainerRoot> root_;
};

struct CopyOptions {
  std::optional<TreeOwner> owner;    // of all that is copied, and of the directories made for it; none: as it is
  bool unpack = false;               // ADD: what is a tar is unpacked instead, and keeps its owners
  std::int64_t plain_bytes_max = 0;  // of such a tar; required with `unpack`
};

// Copies `source` below `from` to `target` below `to`: a directory's content into the directory `target`, a file to
// `target` itself, or into it where that is a directory or ends in a slash. A link is followed, those in a directory
// are copied as they are.
void copy_into(int from, const std::string& source, int to, const std::string& target, const CopyOptions& options,
               const std::stop_token& stop);

// Makes the directory `path` and those above it, where they are missing.
void make_directory_in(int root, const std::string& path, const TreeOwner& owner);

// The plain bytes of a stream in any compression. Errors: kResourceExhausted beyond `bytes_max`, naming `what`.
ByteSource bounded_plain_source(ByteSource source, std::int64_t bytes_max, std::string what);

// The changes that a container has left in its upper directory, as a layer's tar.
ByteSource layer_of_directory(const std::filesystem::path& upper, std::stop_token stop);

}  // namespace quoll::mgr
