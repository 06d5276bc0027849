// Writes an archive's entries below one directory: a layer's, or a copy into a container that may be running.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "mgr/image/rooted_path.hpp"
#include "mgr/image/tar_reader.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

struct TreeOwner {
  std::int64_t uid = 0;
  std::int64_t gid = 0;
};

struct TreeWriterOptions {
  // Whiteouts become overlayfs's, and an entry for the root itself sets the root's owner and mode.
  bool layer = false;
  // Where the entries' names begin, a clean path: links on the way are those of the root.
  std::string below;
  // A directory is not replaced by anything else, nor anything else by a directory.
  bool keep_kinds = false;
  // Instead of the entries' own.
  std::optional<TreeOwner> owner;
};

// Every name is split into a parent, which is opened inside the root by the kernel (openat2), and a last component,
// which is only ever used with calls that do not follow links; owner, mode and attributes are set through a descriptor
// of what was made. That is the whole defence, also while somebody changes the tree: keep it so.
//
// Lifetime: for one archive; `root_fd` outlives it.
// Thread:   one.
// Errors:   kInvalidArgument for an entry that cannot be, kResourceExhausted on a full disk. No half-written file
//           remains, what the entries before have made does.
class TreeWriter {
 public:
  TreeWriter(int root_fd, TreeWriterOptions options) : root_fd_(root_fd), options_(std::move(options)) {}

  // Writes one entry; takes a regular file's content from `reader`.
  void add(const TarEntry& entry, TarReader& reader);

  // Sets the directories' times, which writing into them has changed. Call after the last entry.
  void finish();

  // Bytes of the regular files written.
  std::int64_t size() const { return size_; }

 private:
  struct DirectoryTime {
    std::string path;
    timespec mtime;
  };

  std::string place_of(const TarEntry& entry, const std::string& name, const char* what) const;
  int parent_fd(const std::string& parent);
  void add_root(const TarEntry& entry);
  void add_whiteout(int parent, const std::string& path, const std::string& name);
  void add_directory(int parent, const std::string& path, const std::string& name, const TarEntry& entry);
  void add_file(int parent, const std::string& name, const TarEntry& entry, TarReader& reader);
  void write_content(int file, const TarEntry& entry, TarReader& reader);
  void add_hard_link(int parent, const std::string& path, const std::string& name, const TarEntry& entry);
  void add_symlink(int parent, const std::string& name, const TarEntry& entry);
  void add_node(int parent, const std::string& name, const TarEntry& entry);
  void make_way(int parent, const std::string& name, const TarEntry& entry);
  void remove_existing(int parent, const std::string& name);
  TreeOwner owner_of(const TarEntry& entry) const;

  int root_fd_;
  const TreeWriterOptions options_;
  std::int64_t size_ = 0;
  std::vector<DirectoryTime> directory_times_;
  // The parent of the entry before: archives list a directory's entries together. Dropped when a name changes meaning.
  std::string cached_parent_;
  UniqueFd cached_parent_fd_;
};

}  // namespace quoll::mgr
