// A container's files in the hand of a copy, an export or a commit.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mgr/container/container.hpp"
#include "mgr/files/container_root.hpp"
#include "task/mutex.hpp"

namespace quoll::mgr {

// Lifetime: while it is held, a container that does not run cannot be started or removed. One that runs can be stopped,
//           and the files stay in reach.
struct FileAccess {
  task::Mutex::Guard lifecycle;  // of a container that does not run
  ContainerRoot root;
  std::vector<RootMount> mounts;  // those in `root`
};

enum class FilesView {
  kWithMounts,  // as the container sees them: binds, and its files in /etc
  kRootOnly,    // the image with the container's changes
};

// What is bound over the container's root. Read-only ones are listed too.
std::vector<RootMount> root_mounts(const std::vector<MountConfig>& configured, const ContainerPaths& paths);

// What every container finds below the layers of its image: the places of what is mounted at its start, and Docker's
// marks (/.dockerenv, /etc/mtab). So its own layer has only what it changed itself. Made once; `directory` may be
// there.
//
// Thread: any; blocks on the disk.
void make_init_layer(const std::string& directory);

}  // namespace quoll::mgr
