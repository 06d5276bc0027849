#include "mgr/container/container_files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "mgr/container/container_manager.hpp"
#include "mgr/image/durable_file.hpp"
#include "mgr/image/image_store.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

bool has_ended(int process) {
  pollfd entry{process, POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

void check_can_be_read(const Container& container) {
  const ContainerStatus status = container.state().status;
  if (status == ContainerStatus::kRemoving || status == ContainerStatus::kDead) {
    throw Error(ErrorClass::kConflict,
                "container " + container.id() + " is " + std::string(to_string(status)) + " and its files are going");
  }
}

void make_init_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) throw system_error(errno, "mkdir " + path);
  if (::chmod(path.c_str(), mode) != 0) throw system_error(errno, "chmod " + path);
}

}  // namespace

std::vector<RootMount> root_mounts(const std::vector<MountConfig>& configured, const ContainerPaths& paths) {
  std::vector<RootMount> mounts;
  for (const char* name : {"hostname", "hosts", "resolv.conf"}) {
    const std::string source = paths.directory + "/" + name;
    if (::access(source.c_str(), F_OK) == 0)
      mounts.push_back({.source = source, .target = std::string("/etc/") + name});
  }
  for (const MountConfig& mount : configured) {
    if (mount.kind == MountConfig::Kind::kTmpfs) continue;
    const bool is_volume = mount.kind == MountConfig::Kind::kVolume;
    mounts.push_back({.source = is_volume ? mount.volume_path : mount.source,
                      .part = mount.volume_subpath,
                      .target = mount.target,
                      .read_only = mount.read_only,
                      .recursive = mount.recursive});
  }
  return mounts;
}

void make_init_layer(const std::string& directory) {
  make_init_directory(directory, 0755);
  for (const char* name : {"/dev", "/dev/pts", "/dev/shm", "/etc", "/proc", "/sys"}) {
    make_init_directory(directory + name, 0755);
  }
  for (const char* name : {"/.dockerenv", "/dev/console", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}) {
    const UniqueFd file = open_file(directory + name, O_WRONLY | O_CREAT, 0644);
    if (::fchmod(file.get(), 0755) != 0) throw system_error(errno, "chmod " + directory + name);
  }
  if (::symlink("/proc/mounts", (directory + "/etc/mtab").c_str()) != 0 && errno != EEXIST) {
    throw system_error(errno, "symlink " + directory + "/etc/mtab");
  }
}

std::vector<std::filesystem::path> ContainerManager::layers_of(const Container& container) const {
  std::vector<std::filesystem::path> layers = images_.layer_directories(container.image_id());
  layers.push_back(init_layer());
  return layers;
}

task::Task<FileAccess> ContainerManager::open_files(std::shared_ptr<Container> container, FilesView view) {
  task::Mutex::Guard guard;
  UniqueFd init = container->init_process();
  if (!init || has_ended(init.get())) {
    guard = co_await container->lock_lifecycle();
    init = container->init_process();
    if (init && !has_ended(init.get())) {
      guard = {};  // started meanwhile
    } else {
      co_await container->cleaned_up().wait();
      init.reset();
      check_can_be_read(*container);
    }
  }
  std::vector<RootMount> mounts;
  ContainerRoot root = co_await task::blocking([&] {
    if (view == FilesView::kWithMounts) mounts = root_mounts(container->config()->mounts, container->paths());
    RootSource source{init.get(), {}, container->paths().directory, mounts};
    if (!init) source.layers = layers_of(*container);
    return ContainerRoot::open(source);
  });
  co_return FileAccess{std::move(guard), std::move(root), std::move(mounts)};
}

}  // namespace quoll::mgr
