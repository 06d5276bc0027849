// quoll-runtime: stands between the monitor and the OCI runtime, so that a container's root filesystem is mounted in
// its own mount namespace and nowhere else. A daemon that is killed leaves no mount behind; a container that ends takes
// its mount with it.
//
//     quoll-runtime --quoll-runtime=/usr/bin/crun [runtime options] create --bundle B --pid-file F ID
//
// The first argument names the real runtime, by absolute path. It is an argument because `ps` then shows what
// really runs. Every other argument reaches the runtime unchanged. Only `create` needs anything from the shim; for
// other subcommands it is as good to call the runtime itself. The steps for it, each only where it is needed:
//
//   1. A private mount namespace, all of it a slave of the host's: the host's later mounts still arrive in bind mounts,
//      nothing made here leaves. (So a bind mount's `rshared` propagates inwards only.)
//   2. For crun on a host with hybrid cgroups, the cgroup2 mount beside the v1 controllers is detached in there:
//      crun 1.8 refuses such a host, and works with its v1 controllers once the mount is out of sight.
//   3. If <bundle>/overlay exists, the overlay that it describes is mounted (shim_overlay.hpp).
//   4. If <bundle>/subpaths exists, the parts of volumes that it names are mounted where config.json looks for them.
//   5. execv of the runtime. The namespace lives as long as the runtime runs; the container's own namespace is a copy.
//
// <bundle>/subpaths is groups of three such lines: volume=PATH, part=PATH (relative, looked up inside the volume,
// whatever links are in there) and target=PATH (an existing file or directory, as the part is). Paths are absolute and
// free of newlines.
//
// Errors: one line on stderr, which the monitor passes on, and exit status 125 (a step failed), 126 (the
// runtime cannot be executed) or 127 (there is no such runtime).
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/runtime/shim_failure.hpp"
#include "mgr/runtime/shim_overlay.hpp"
#include "mgr/runtime/volume_part.hpp"

namespace {

using namespace quoll::mgr;

constexpr std::string_view kRuntimeFlag = "--quoll-runtime=";
constexpr const char* kCgroupRoot = "/sys/fs/cgroup";
constexpr const char* kUnifiedMount = "/sys/fs/cgroup/unified";
constexpr size_t kOverlayFileBytesMax = 4 << 20;
constexpr int kNotExecutable = 126;
constexpr int kNoSuchRuntime = 127;

// The whole of a small file; nothing if it does not exist.
std::optional<std::string> read_file(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::nullopt;
    fail_errno("open " + path);
  }
  std::string text;
  char buffer[16384];
  for (;;) {
    ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno("read " + path);
    if (count == 0) break;
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > kOverlayFileBytesMax) fail(path + " is too large");
  }
  ::close(fd);
  return text;
}

// A mount can be copied only by who is in its namespace; the copy, attached nowhere yet, can be taken along.
void share_shm(const std::string& pid, const std::string& target) {
  const int own = ::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  const int other = ::open(("/proc/" + pid + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC);
  if (own < 0 || other < 0) fail_errno("open the mount namespace of process " + pid);
  if (::setns(other, CLONE_NEWNS) < 0) fail_errno("enter the mount namespace of process " + pid);
  const int shm = ::open_tree(AT_FDCWD, "/dev/shm", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (shm < 0) fail_errno("copy the mount /dev/shm of process " + pid);
  if (::setns(own, CLONE_NEWNS) < 0) fail_errno("return to the own mount namespace");
  if (::move_mount(shm, "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0) fail_errno("mount " + target);
  ::close(shm);
  ::close(other);
  ::close(own);
}

bool has_filesystem(const char* path, long magic) {
  struct statfs status;
  return ::statfs(path, &status) == 0 && static_cast<long>(status.f_type) == magic;
}

bool is_crun(const std::string& runtime) {
  char resolved[PATH_MAX];
  std::string_view path = ::realpath(runtime.c_str(), resolved) ? resolved : runtime.c_str();
  return path.substr(path.rfind('/') + 1) == "crun";
}

// The bundle of a `create`, from the arguments behind the runtime's own options; nothing for any other subcommand.
std::optional<std::string> bundle_to_create(const std::vector<char*>& arguments) {
  size_t i = 0;
  while (i < arguments.size() && std::string_view(arguments[i]) != "create") i++;
  if (i == arguments.size()) return std::nullopt;
  for (i++; i < arguments.size(); i++) {
    std::string_view argument = arguments[i];
    if ((argument == "--bundle" || argument == "-b") && i + 1 < arguments.size()) return arguments[i + 1];
    if (argument.substr(0, 9) == "--bundle=") return std::string(argument.substr(9));
  }
  return std::nullopt;
}

// The value of the next line, which must have this key.
std::string take_value(std::string_view& text, std::string_view key, const std::string& path) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  if (line.substr(0, key.size()) != key || line.size() == key.size()) fail(path + ": no " + std::string(key));
  return std::string(line.substr(key.size()));
}

void mount_subpaths(std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const std::string volume = take_value(text, "volume=", path);
    const std::string part = take_value(text, "part=", path);
    const std::string target = take_value(text, "target=", path);
    const int tree = clone_volume_part(volume.c_str(), part.c_str());
    if (tree < 0) fail_errno("cannot access path " + volume + "/" + part);
    if (::move_mount(tree, "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0) fail_errno("mount " + target);
    ::close(tree);
  }
}

void prepare_create(const std::string& runtime, const std::string& bundle) {
  bool hide_unified = is_crun(runtime) && has_filesystem(kCgroupRoot, TMPFS_MAGIC) &&
                      has_filesystem(kUnifiedMount, CGROUP2_SUPER_MAGIC);
  std::string path = bundle + "/overlay";
  std::optional<std::string> text = read_file(path);
  if (!hide_unified && !text) return;
  if (::unshare(CLONE_NEWNS) < 0) fail_errno("unshare the mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) < 0) fail_errno("make all mounts slaves");
  if (hide_unified && ::umount2(kUnifiedMount, MNT_DETACH) < 0) fail_errno(std::string("detach ") + kUnifiedMount);
  if (text) {
    const Overlay overlay = parse_overlay(*text, path);
    if (!overlay.shm_pid.empty()) share_shm(overlay.shm_pid, overlay.shm_target);
    mount_overlay(overlay);
  }
  path = bundle + "/subpaths";
  if (auto subpaths = read_file(path)) mount_subpaths(*subpaths, path);
}

[[noreturn]] void execute(const std::string& runtime, const std::vector<char*>& arguments) {
  std::vector<char*> argv{const_cast<char*>(runtime.c_str())};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  argv.push_back(nullptr);
  ::execv(runtime.c_str(), argv.data());
  int error = errno;
  fail("runtime " + runtime + ": " + std::strerror(error), error == ENOENT ? kNoSuchRuntime : kNotExecutable);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || std::string_view(argv[1]).substr(0, kRuntimeFlag.size()) != kRuntimeFlag)
    fail("usage: quoll-runtime --quoll-runtime=PATH [OPTION...] SUBCOMMAND ...");
  std::string runtime = argv[1] + kRuntimeFlag.size();
  if (runtime.empty() || runtime[0] != '/') fail("the runtime's path is not absolute: '" + runtime + "'");
  std::vector<char*> arguments(argv + 2, argv + argc);

  if (auto bundle = bundle_to_create(arguments)) prepare_create(runtime, *bundle);
  execute(runtime, arguments);
}
