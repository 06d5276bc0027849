// A directory tree, or one file, as a tar stream that is made piece by piece as somebody takes it.
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "mgr/image/durable_file.hpp"
#include "mgr/image/tar_writer.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

struct TreeArchiveOptions {
  // What the top is called in the archive. "": entries are named relative to it, and it has no entry itself.
  std::string top_name;
  // An overlay's upper directory: its whiteouts and opaque marks are written as those of OCI's layer format.
  bool layer = false;
};

// Owners, modes, times, hard links, device nodes and extended attributes are kept; sockets are left out. The tree may
// change meanwhile, and may be hostile: nothing is opened but regular files and directories, and no link is followed.
//
// Thread:   one at a time; blocks on the disk.
// Cancel:   kCancelled. Errors: kInvalidArgument for a tree deeper than kDepthMax; others as system_error().
// Limits:   a directory's descriptor and buffer for each level; a name for each file that has several.
class TreeArchive {
 public:
  static constexpr std::size_t kDepthMax = 512;

  // `place` is an O_PATH descriptor of the top, that does not follow a link.
  TreeArchive(UniqueFd place, TreeArchiveOptions options);
  ~TreeArchive();
  TreeArchive(TreeArchive&&) noexcept;

  // Fills `chunk` with about `size` bytes; empty at the end.
  void read(std::string& chunk, std::size_t size, const std::stop_token& stop);

 private:
  struct Directory {
    std::unique_ptr<DIR, int (*)(DIR*)> stream;
    std::string name;  // in the archive; "" at a top that has none
  };

  void step();
  void read_content();
  void visit(int parent, const std::string& name, const std::string& path);
  void add(UniqueFd place, const std::string& path);
  void add_file(int place, const TarEntry& entry);
  void enter(int place, const std::string& path);
  void add_mark(const std::string& path);
  bool add_known_link(const struct stat& status, TarEntry& entry);

  const TreeArchiveOptions options_;
  std::unique_ptr<TarWriter> tar_;
  UniqueFd top_;  // until it has been visited
  std::vector<Directory> directories_;
  UniqueFd file_;
  std::int64_t file_left_ = 0;
  std::vector<char> buffer_;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;  // files of several names, by the first that was met
  bool ended_ = false;
};

// The whole archive as a source of bytes.
ByteSource tree_source(UniqueFd place, TreeArchiveOptions options, std::stop_token stop);

}  // namespace quoll::mgr
