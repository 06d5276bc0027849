// `docker cp`: files of a container as a tar, and a tar into a container.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "mgr/files/container_root.hpp"
#include "mgr/files/path_stat.hpp"
#include "mgr/files/tree_archive.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/tree_writer.hpp"

namespace quoll::mgr {

// All functions block on the disk; from any thread.

struct PathArchive {
  PathStat stat;
  TreeArchive archive;
};

// What Docker names the entries: by the last part of the path; "." where the path ends in "/.". A link is archived as
// the link that it is. Nothing where there is no such file.
std::optional<PathArchive> archive_in_root(int root, const std::string& path);

struct ExtractOptions {
  bool keep_kinds = false;         // Docker's noOverwriteDirNonDir
  std::optional<TreeOwner> owner;  // instead of the archive's owners
  bool read_only_root = false;
  std::vector<RootMount> mounts;
};

// Unpacks `tar` (plain, gzip, bzip2, xz or zstd) into the directory `path`, which must be there. Takes `tar` to its
// end. False where there is no such path.
//
// Cancel:   kCancelled; what was unpacked stays, the file in hand does not. The same after any error.
// Errors:   kInvalidArgument for what is no directory, a bad archive or entry; kPermissionDenied in Docker's words
// where
//           the root or the mount is read-only; kResourceExhausted on a full disk.
bool extract_in_root(int root, const std::string& path, const ExtractOptions& options, ByteSource tar,
                     const std::stop_token& stop);

}  // namespace quoll::mgr
