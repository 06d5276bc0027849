#include "mgr/container/container_volumes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "mgr/container/container_config_parse.hpp"
#include "mgr/files/container_copy.hpp"
#include "mgr/files/inode.hpp"
#include "mgr/image/durable_file.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kCopyChunkBytes = 256 * 1024;

struct VolumesFrom {
  std::string container;
  bool read_only = false;
};

VolumesFrom parse_volumes_from(const std::string& text) {
  const std::vector<std::string> parts = split(text, ':');
  const bool is_whole = parts.size() <= 2 && !parts[0].empty();
  const std::string mode = parts.size() == 2 ? parts[1] : "rw";
  if (!is_whole) refuse("invalid volumes-from specification: '" + text + "'");
  if (mode != "ro" && mode != "rw" && mode != "z" && mode != "Z") refuse("invalid mode: " + mode);
  return {parts[0], mode == "ro"};
}

// The image's directory at `target` into the volume, with owners, modes and all. An image that has none there, or a
// file, leaves the volume as it is.
void copy_up(int image_root, const std::string& target, const std::string& volume) {
  const UniqueFd place = find_in_root(image_root, target, true);
  if (!place || !S_ISDIR(status_of(place.get()).st_mode)) return;
  auto content = archive_in_root(image_root, target + "/.");
  if (!content) return;
  const UniqueFd root(::open(volume.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) throw system_error(errno, "open volume " + volume);
  std::string chunk;
  std::size_t taken = 0;
  const auto source = [&](std::span<char> buffer) {
    if (taken == chunk.size()) {
      content->archive.read(chunk, kCopyChunkBytes, {});
      taken = 0;
    }
    const std::size_t bytes = std::min(buffer.size(), chunk.size() - taken);
    std::copy_n(chunk.data() + taken, bytes, buffer.data());
    taken += bytes;
    return bytes;
  };
  extract_in_root(root.get(), "/", {}, source, {});
}

bool is_empty(const std::string& directory) {
  std::error_code error;
  return std::filesystem::is_empty(directory, error) && !error;
}

}  // namespace

void add_volumes_from(ContainerConfig& config,
                      const std::function<std::vector<MountConfig>(std::string_view container)>& mounts_of) {
  for (const std::string& text : config.host.volumes_from) {
    const VolumesFrom from = parse_volumes_from(text);
    for (MountConfig& mount : mounts_of(from.container)) {
      // What the client itself asks for at a target wins; what only the image wants there does not.
      const auto own = std::ranges::find(config.mounts, mount.target, &MountConfig::target);
      if (mount.kind == MountConfig::Kind::kTmpfs) continue;
      if (own != config.mounts.end() && own->origin != MountConfig::Origin::kVolumes) continue;
      mount.origin = MountConfig::Origin::kVolumesFrom;
      mount.read_only = mount.read_only || from.read_only;
      if (own != config.mounts.end()) {
        *own = std::move(mount);
      } else {
        config.mounts.push_back(std::move(mount));
      }
    }
  }
}

void hold_volumes(ContainerConfig& config, const std::string& container_id, VolumeManager& volumes,
                  const std::function<UniqueFd()>& image_root) {
  UniqueFd root;
  for (MountConfig& mount : config.mounts) {
    if (mount.kind != MountConfig::Kind::kVolume) continue;
    VolumeRequest request{mount.source, mount.volume_driver, mount.volume_options, mount.volume_labels};
    if (mount.origin == MountConfig::Origin::kBinds) request.driver = config.host.volume_driver;
    const auto volume = volumes.hold(request, container_id);
    mount.source = volume->name;
    mount.volume_path = volume->data();
    mount.read_only = mount.read_only || volume->read_only;
    const bool is_another_containers = mount.origin == MountConfig::Origin::kVolumesFrom;
    if (mount.volume_no_copy || is_another_containers || !mount.volume_subpath.empty()) continue;
    if (!is_empty(mount.volume_path)) continue;
    if (!root) root = image_root();
    copy_up(root.get(), mount.target, mount.volume_path);
  }
}

std::string prepare_subpaths(std::vector<MountConfig>& mounts, const std::string& bundle) {
  std::string text;
  int count = 0;
  for (MountConfig& mount : mounts) {
    if (mount.volume_subpath.empty()) continue;
    const UniqueFd volume(::open(mount.volume_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!volume) throw system_error(errno, "open volume " + mount.source);
    const UniqueFd part = find_in_root(volume.get(), mount.volume_subpath, true);
    if (!part) {
      throw Error(ErrorClass::kInvalidArgument, "cannot access path " + mount.volume_path + "/" + mount.volume_subpath +
                                                    ": no such file or directory");
    }
    const std::string place = bundle + "/part" + std::to_string(count++);
    if (S_ISDIR(status_of(part.get()).st_mode)) {
      std::filesystem::create_directory(place);
    } else {
      open_file(place, O_WRONLY | O_CREAT);
    }
    text += "volume=" + mount.volume_path + "\npart=" + mount.volume_subpath + "\ntarget=" + place + "\n";
    mount.volume_path = place;
  }
  return text;
}

}  // namespace quoll::mgr
