// Writes a layer's entries below one directory.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "mgr/image/rooted_path.hpp"
#include "mgr/image/tar_reader.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

// Every name is split into a parent, which is opened inside the root by the kernel (openat2), and a last component,
// which is only ever used with calls that do not follow links. That pair is the whole defence: keep it so.
//
// Lifetime: for one layer; `root_fd` outlives it.
// Thread:   one.
// Errors:   kInvalidArgument for an entry that cannot be, kResourceExhausted on a full disk.
class LayerWriter {
 public:
  explicit LayerWriter(int root_fd) : root_fd_(root_fd) {}

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

  int parent_fd(const std::string& parent);
  void add_whiteout(int parent, const std::string& path, const std::string& name);
  void add_directory(int parent, const std::string& path, const std::string& name, const TarEntry& entry);
  void add_file(int parent, const std::string& name, const TarEntry& entry, TarReader& reader);
  void add_hard_link(int parent, const std::string& path, const std::string& name, const TarEntry& entry);
  void add_symlink(int parent, const std::string& name, const TarEntry& entry);
  void add_node(int parent, const std::string& name, const TarEntry& entry);
  void remove_existing(int parent, const std::string& name);

  int root_fd_;
  std::int64_t size_ = 0;
  std::vector<DirectoryTime> directory_times_;
  // The parent of the entry before: archives list a directory's entries together. Dropped when a name changes meaning.
  std::string cached_parent_;
  UniqueFd cached_parent_fd_;
};

}  // namespace quoll::mgr
