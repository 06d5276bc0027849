// What Docker's clients are told of a file in a container before they copy it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace quoll::mgr {

struct PathStat {
  std::string name;  // the last part of the path; "/" for the root
  std::int64_t size = 0;
  std::uint32_t mode = 0;  // Go's os.FileMode
  std::int64_t mtime_ns = 0;
  std::string link_target;  // of a symbolic link: where it leads in the end, absolute in the container; else empty
};

// Links on the way are followed, one at the end is not, but where the path ends in a slash. Nothing where there is no
// such file.
//
// Thread: any; blocks on the disk. Errors: kInvalidArgument for links in a circle; others as system_error().
std::optional<PathStat> stat_in_root(int root, const std::string& path);

// "/a/b" of "a//./x/../b": Go's filepath.Join("/", path).
std::string clean_absolute_path(const std::string& path);

// The path with all links resolved as far as there is something, as text.
// Errors: kInvalidArgument for links in a circle.
std::string resolve_in_root(int root, const std::string& path);

}  // namespace quoll::mgr
