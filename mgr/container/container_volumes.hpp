// A container's volumes: found or made at its creation, held until its removal, mounted at each start.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/container/container_config.hpp"
#include "mgr/volume/volume_manager.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

// All functions block on the disk; from any thread.

// What `config.mounts` gets from the containers that VolumesFrom names: all their binds and volumes, but at targets
// that are taken. `mounts_of` gives another container's mounts.
//
// Errors: kInvalidArgument for a malformed VolumesFrom; those of `mounts_of`.
void add_volumes_from(ContainerConfig& config,
                      const std::function<std::vector<MountConfig>(std::string_view container)>& mounts_of);

// Holds every volume of `config.mounts` for the container, makes those that are not there, and fills in their names and
// paths. An empty one is filled with what the image has at its target, unless the mount says otherwise.
//
// `image_root` opens the image's tree (O_PATH) when it is needed.
// Errors: those of VolumeManager::create(). What is held stays held: release() ends it.
void hold_volumes(ContainerConfig& config, const std::string& container_id, VolumeManager& volumes,
                  const std::function<UniqueFd()>& image_root);

// Where only a part of a volume is mounted, the shim does it: gives each such mount a place in `bundle` as its path,
// and returns the text of <bundle>/subpaths (mgr/runtime/shim_main.cpp), empty where there is none.
//
// Errors: kInvalidArgument naming the volume and the part that is not there.
std::string prepare_subpaths(std::vector<MountConfig>& mounts, const std::string& bundle);

}  // namespace quoll::mgr
