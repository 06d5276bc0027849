// <bundle>/overlay, which says what quoll-runtime mounts as a container's root filesystem, and that mount.
//
// <bundle>/overlay is lines of key=value, in any order; the value is all that follows the first `=`:
//
//     lowerdir=PATH     required, repeated: one layer a line, the topmost first; the kernel allows 500
//     upperdir=PATH     with workdir; without both the mount is read-only, and takes two lowerdirs or more
//     workdir=PATH
//     target=PATH       required: an existing empty directory, as a rule <bundle>/rootfs
//     option=NAME[=V]   optional, repeated: any other overlayfs option, e.g. `option=metacopy=on`
//     shm_pid=PID       with shm_target, an existing directory, where the /dev/shm of that process is then mounted too:
//     shm_target=PATH   for a container that shares the IPC of another, whose mount no other namespace has
//
// Paths are absolute and free of newlines; colons and commas are allowed. From Linux 6.5 on each layer is passed by a
// call of its own. Older kernels take one page of text for all options: there the longest common directory is entered
// and the paths are written relative to it; a list that is still too long fails in words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quoll::mgr {

// What <bundle>/overlay says.
struct Overlay {
  std::vector<std::string> lower_dirs;
  std::string upper_dir;
  std::string work_dir;
  std::string target;
  std::vector<std::string> options;
  std::string shm_pid;
  std::string shm_target;
};

// `path` is the file's, for messages. Both end the program on an error (shim_failure.hpp).
Overlay parse_overlay(std::string_view text, const std::string& path);
void mount_overlay(const Overlay& overlay);

}  // namespace quoll::mgr
