#include "mgr/files/container_root.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>
#include <thread>
#include <tuple>

#include "mgr/image/rooted_path.hpp"
#include "mgr/runtime/detached_overlay.hpp"
#include "mgr/runtime/volume_part.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

UniqueFd open_namespace() {
  UniqueFd fd(::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!fd) throw system_error(errno, "open the mount namespace");
  return fd;
}

// The root mount of a running container alone, without what is mounted below it. Leaves this thread where it was.
UniqueFd clone_running_root(int init_process, int own_namespace) {
  if (::setns(init_process, CLONE_NEWNS) != 0) throw system_error(errno, "enter the container's mounts");
  UniqueFd root(::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  const int error = errno;
  if (::setns(own_namespace, CLONE_NEWNS) != 0) throw system_error(errno, "leave the container's mounts");
  if (!root) throw system_error(error, "clone the container's root");
  return root;
}

UniqueFd mount_root(const RootSource& source, int own_namespace) {
  if (source.init_process >= 0) return clone_running_root(source.init_process, own_namespace);
  return open_writable_overlay(source.layers, source.directory + "/upper", source.directory + "/work");
}

bool is_directory(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

UniqueFd open_path_in_root(int root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

// The place of a mount below the root; made where it is missing, as the runtime does when the container starts.
UniqueFd mount_point(int root, const std::string& target, bool directory) {
  if (UniqueFd found = open_path_in_root(root, target)) return found;
  const std::string clean = clean_archive_path(target).value_or("");
  if (directory) return make_directories_in_root(root, clean);
  const SplitPath split = split_path(clean);
  const UniqueFd parent = make_directories_in_root(root, split.parent);
  const UniqueFd made(::openat(parent.get(), split.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  return open_path_in_root(root, target);
}

void add_mount(int root, const RootMount& mount) {
  const unsigned depth = mount.recursive ? AT_RECURSIVE : 0;
  const UniqueFd tree(mount.part.empty()
                          ? ::open_tree(AT_FDCWD, mount.source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth)
                          : clone_volume_part(mount.source.c_str(), mount.part.c_str()));
  if (!tree) {
    if (errno == ENOENT) return;
    throw system_error(errno, "bind " + mount.source);
  }
  if (mount.read_only) {
    struct mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | depth, &attributes, sizeof attributes) != 0) {
      throw system_error(errno, "bind " + mount.source + " read-only");
    }
  }
  const UniqueFd target = mount_point(root, mount.target, is_directory(tree.get()));
  if (!target || is_directory(target.get()) != is_directory(tree.get())) return;
  if (::move_mount(tree.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    throw system_error(errno, "bind " + mount.source + " to " + mount.target);
  }
}

// On a thread of its own, whose namespaces nobody else sees.
std::tuple<UniqueFd, UniqueFd> build(const RootSource& source) {
  if (::unshare(CLONE_NEWNS) != 0) throw system_error(errno, "unshare the mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) throw system_error(errno, "make mounts slaves");
  UniqueFd own_namespace = open_namespace();
  const UniqueFd tree = mount_root(source, own_namespace.get());
  // Any directory will do: nobody else is in this namespace, and nothing below this one is needed by its name.
  const std::string place = source.directory + "/work";
  if (::move_mount(tree.get(), "", AT_FDCWD, place.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    throw system_error(errno, "mount the container's root");
  }
  UniqueFd root(::open(place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) throw system_error(errno, "open the container's root");
  std::vector<RootMount> mounts = source.mounts;
  std::ranges::sort(mounts, {}, &RootMount::target);  // what is mounted on a mount comes behind it
  for (const RootMount& mount : mounts) add_mount(root.get(), mount);
  return {std::move(own_namespace), std::move(root)};
}

}  // namespace

ContainerRoot ContainerRoot::open(const RootSource& source) {
  std::optional<std::tuple<UniqueFd, UniqueFd>> built;
  std::exception_ptr failure;
  std::thread([&] {
    try {
      built = build(source);
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
  return ContainerRoot(std::move(std::get<0>(*built)), std::move(std::get<1>(*built)));
}

}  // namespace quoll::mgr
