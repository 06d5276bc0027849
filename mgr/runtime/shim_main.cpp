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
//   3. If <bundle>/overlay exists, the overlay that it describes is mounted.
//   4. If <bundle>/subpaths exists, the parts of volumes that it names are mounted where config.json looks for them.
//   5. execv of the runtime. The namespace lives as long as the runtime runs; the container's own namespace is a copy.
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
// <bundle>/subpaths is groups of three such lines: volume=PATH, part=PATH (relative, looked up inside the volume,
// whatever links are in there) and target=PATH (an existing file or directory, as the part is).
//
// Paths are absolute and free of newlines; colons and commas are allowed. From Linux 6.5 on each layer is passed by a
// call of its own. Older kernels take one page of text for all options: there the longest common directory is entered
// and the paths are written relative to it; a list that is still too long fails in words.
//
// Errors: one line on stderr, which the monitor passes on, and exit status 125 (a step failed), 126 (the
// runtime cannot be executed) or 127 (there is no such runtime).
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mgr/runtime/volume_part.hpp"

namespace {

constexpr std::string_view kRuntimeFlag = "--quoll-runtime=";
constexpr const char* kCgroupRoot = "/sys/fs/cgroup";
constexpr const char* kUnifiedMount = "/sys/fs/cgroup/unified";
constexpr size_t kOverlayFileBytesMax = 4 << 20;
constexpr int kStepFailed = 125;
constexpr int kNotExecutable = 126;
constexpr int kNoSuchRuntime = 127;

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

[[noreturn]] void fail(const std::string& what, int exit_status = kStepFailed) {
  std::fprintf(stderr, "quoll-runtime: %s\n", what.c_str());
  std::exit(exit_status);
}

[[noreturn]] void fail_errno(const std::string& what, int error = errno) { fail(what + ": " + std::strerror(error)); }

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

void set_once(std::string& field, std::string_view value, const std::string& where) {
  if (!field.empty()) fail(where + ": given twice");
  field = value;
}

void check(const Overlay& overlay, const std::string& path) {
  if (overlay.lower_dirs.empty()) fail(path + ": no lowerdir");
  if (overlay.shm_pid.empty() != overlay.shm_target.empty()) fail(path + ": shm_pid and shm_target go together");
  if (overlay.target.empty()) fail(path + ": no target");
  if (overlay.upper_dir.empty() != overlay.work_dir.empty()) fail(path + ": upperdir and workdir go together");
  if (overlay.upper_dir.empty() && overlay.lower_dirs.size() < 2) fail(path + ": one lowerdir needs an upperdir");
}

Overlay parse_overlay(std::string_view text, const std::string& path) {
  Overlay overlay;
  for (int line_number = 1; !text.empty(); line_number++) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    std::string where = path + " line " + std::to_string(line_number);
    size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals + 1 == line.size()) fail(where + ": not key=value");
    std::string_view key = line.substr(0, equals);
    std::string_view value = line.substr(equals + 1);
    if (key != "option" && key != "shm_pid") {
      if (value[0] != '/') fail(where + ": not an absolute path: " + std::string(value));
      while (value.size() > 1 && value.back() == '/') value.remove_suffix(1);
    }
    if (key == "lowerdir") {
      overlay.lower_dirs.emplace_back(value);
    } else if (key == "upperdir") {
      set_once(overlay.upper_dir, value, where);
    } else if (key == "workdir") {
      set_once(overlay.work_dir, value, where);
    } else if (key == "target") {
      set_once(overlay.target, value, where);
    } else if (key == "shm_pid") {
      set_once(overlay.shm_pid, value, where);
    } else if (key == "shm_target") {
      set_once(overlay.shm_target, value, where);
    } else if (key == "option") {
      overlay.options.emplace_back(value);
    } else {
      fail(where + ": unknown key " + std::string(key));
    }
  }
  check(overlay, path);
  return overlay;
}

// The kernel's own words on why a filesystem context failed ("e overlay: ..."), or strerror where it left none.
std::string reason_of(int context, int error) {
  std::string reason;
  char buffer[1024];
  for (;;) {
    ssize_t count = ::read(context, buffer, sizeof buffer);
    if (count <= 0) break;
    if (!reason.empty()) reason += "; ";
    std::string_view message(buffer, static_cast<size_t>(count));
    if (message.size() > 2 && message[1] == ' ') message.remove_prefix(2);
    while (!message.empty() && message.back() == '\n') message.remove_suffix(1);
    reason += message;
  }
  return reason.empty() ? std::strerror(error) : reason + " (" + std::strerror(error) + ")";
}

void set_option(int context, const char* key, const std::string& value) {
  if (::fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) < 0) {
    int error = errno;
    fail("overlay " + std::string(key) + "=" + value + ": " + reason_of(context, error));
  }
}

void set_free_option(int context, const std::string& option) {
  size_t equals = option.find('=');
  if (equals != std::string::npos)
    return set_option(context, option.substr(0, equals).c_str(), option.substr(equals + 1));
  if (::fsconfig(context, FSCONFIG_SET_FLAG, option.c_str(), nullptr, 0) < 0) {
    int error = errno;
    fail("overlay option " + option + ": " + reason_of(context, error));
  }
}

// Mounts by the calls of Linux 6.5 and newer: no limit on the options' length, and errors in the kernel's own words.
void mount_by_context(const Overlay& overlay) {
  int context = ::fsopen("overlay", FSOPEN_CLOEXEC);
  if (context < 0) fail_errno("open an overlay filesystem");
  for (const std::string& lower_dir : overlay.lower_dirs) set_option(context, "lowerdir+", lower_dir);
  if (!overlay.upper_dir.empty()) {
    set_option(context, "upperdir", overlay.upper_dir);
    set_option(context, "workdir", overlay.work_dir);
  }
  for (const std::string& option : overlay.options) set_free_option(context, option);
  set_option(context, "source", "overlay");
  if (::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
    int error = errno;
    fail("overlay for " + overlay.target + ": " + reason_of(context, error));
  }
  int mounted = ::fsmount(context, FSMOUNT_CLOEXEC, 0);
  if (mounted < 0) {
    int error = errno;
    fail("overlay for " + overlay.target + ": " + reason_of(context, error));
  }
  if (::move_mount(mounted, "", AT_FDCWD, overlay.target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0)
    fail_errno("mount overlay at " + overlay.target);
  ::close(mounted);
  ::close(context);
}

// By version: before 6.5 the kernel only collects what fsconfig passes, so trying tells nothing until it is too late.
bool kernel_takes_single_layers() {
  struct utsname name;
  int major = 0;
  int minor = 0;
  if (::uname(&name) < 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return std::pair(major, minor) >= std::pair(6, 5);
}

// The longest directory, with its closing slash, that all paths are below.
std::string common_directory(const std::vector<std::string>& paths) {
  std::string common = paths.front().substr(0, paths.front().rfind('/') + 1);
  for (const std::string& path : paths)
    while (path.compare(0, common.size(), common) != 0) common.resize(common.rfind('/', common.size() - 2) + 1);
  return common;
}

// A path in mount(2)'s option text, where `,` ends an option and `:` a layer.
std::string escaped(std::string_view path) {
  std::string text;
  for (char c : path) {
    if (c == ',' || c == ':' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

void mount_by_text(const Overlay& overlay) {
  std::vector<std::string> paths = overlay.lower_dirs;
  if (!overlay.upper_dir.empty()) {
    paths.push_back(overlay.upper_dir);
    paths.push_back(overlay.work_dir);
  }
  std::string common = common_directory(paths);
  std::string text = "lowerdir=";
  for (size_t i = 0; i < paths.size(); i++) {
    if (i == overlay.lower_dirs.size())
      text += ",upperdir=";
    else if (i > overlay.lower_dirs.size())
      text += ",workdir=";
    else if (i > 0)
      text += ':';
    text += escaped(std::string_view(paths[i]).substr(common.size()));
  }
  for (const std::string& option : overlay.options) text += "," + option;
  if (text.size() >= static_cast<size_t>(::sysconf(_SC_PAGESIZE)))
    fail("overlay for " + overlay.target + ": " + std::to_string(overlay.lower_dirs.size()) + " layers need " +
         std::to_string(text.size()) + " bytes of options, more than this kernel takes");
  int before = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (before < 0) fail_errno("open the working directory");
  if (::chdir(common.c_str()) < 0) fail_errno("chdir " + common);
  if (::mount("overlay", overlay.target.c_str(), "overlay", 0, text.c_str()) < 0)
    fail_errno("mount overlay at " + overlay.target + " (" + text + " in " + common + ")");
  if (::fchdir(before) < 0) fail_errno("return to the working directory");
  ::close(before);
}

void mount_overlay(const Overlay& overlay) {
  if (kernel_takes_single_layers())
    mount_by_context(overlay);
  else
    mount_by_text(overlay);
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
    const int tree = quoll::mgr::clone_volume_part(volume.c_str(), part.c_str());
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
