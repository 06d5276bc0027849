// Who a container's process runs as: "user[:group]" looked up in the passwd and group files of the container's own
// root.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::mgr {

struct ContainerUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> additional_gids;  // without doubles; has `gid` too
  std::string home = "/";

  bool operator==(const ContainerUser&) const = default;
};

inline constexpr size_t kAccountFileMax = 4 * 1024 * 1024;

// What `user` ("", "name", "uid", each with ":group" or ":gid") means in texts of /etc/passwd and /etc/group. A name
// wins over a number; a number needs no entry. Without a group: that of the entry, and those that list the user.
// `group_add` are further groups, by name or number.
//
// Errors: kInvalidArgument in Docker's words for a name without an entry or a number out of range.
ContainerUser find_user(std::string_view user, const std::vector<std::string>& group_add, std::string_view passwd,
                        std::string_view group);

// The same with the files below `rootfs`. A missing file is an empty one. Whatever the container put there, nothing
// outside `rootfs` is read: links are followed as if `rootfs` were "/", and only regular files are opened.
//
// Thread: any; blocks on the disk.
// Errors: as find_user; kResourceExhausted for a file larger than kAccountFileMax; kInternal if it cannot be read.
ContainerUser lookup_user(const std::string& rootfs, std::string_view user, const std::vector<std::string>& group_add);

}  // namespace quoll::mgr
