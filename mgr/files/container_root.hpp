// A container's root filesystem as the daemon reaches it for copies: a descriptor, and no mount on the host.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "task/unique_fd.hpp"

namespace quoll::mgr {

// What is mounted over the root, as far as a copy shall see it.
struct RootMount {
  std::string source;  // on the host
  std::string part;    // what of the source is mounted, looked up inside it; empty is all
  std::string target;  // in the container: absolute and clean
  bool read_only = false;
  bool recursive = true;
};

// Where the root comes from: the overlay of a running container, by a descriptor of its init process, or one that is
// mounted for the purpose. All required but where they exclude each other.
struct RootSource {
  int init_process = -1;                      // a pidfd; -1: not running
  std::vector<std::filesystem::path> layers;  // not running: the topmost first
  std::string directory;                      // the container's own: upper and work are in it
  std::vector<RootMount> mounts;
};

// A mount namespace of its own that no process is in, with the container's root and its binds, and nothing else of what
// the container has mounted: no /proc, no /sys, no tmpfs. So a name that is looked up in it ends in the container's
// files or nowhere, and a killed daemon leaves nothing.
//
// Lifetime: the namespace goes with the object.
// Thread:   any.
class ContainerRoot {
 public:
  // Blocks on the disk for a moment. REQUIRES: while not running, nobody starts the container before the object goes.
  // Errors:   as system_error(); a bind whose source is gone is left out.
  static ContainerRoot open(const RootSource& source);

  // The root directory, with O_PATH.
  int fd() const { return root_.get(); }

 private:
  ContainerRoot(UniqueFd mount_namespace, UniqueFd root)
      : mount_namespace_(std::move(mount_namespace)), root_(std::move(root)) {}

  UniqueFd mount_namespace_;
  UniqueFd root_;
};

}  // namespace quoll::mgr
