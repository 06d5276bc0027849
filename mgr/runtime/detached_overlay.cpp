#include "mgr/runtime/detached_overlay.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

// The system calls by number: Debian's libc declares them, and clashes with linux/mount.h where it does.
int set_option(int context, unsigned command, const char* key, const char* value) {
  return static_cast<int>(::syscall(SYS_fsconfig, context, command, key, value, 0));
}

bool kernel_takes_single_layers() {
  utsname name;
  int major = 0;
  int minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 6 || (major == 6 && minor >= 5);
}

void set_layers(int context, const std::vector<std::string>& directories) {
  if (kernel_takes_single_layers()) {
    for (const std::string& directory : directories) {
      if (set_option(context, FSCONFIG_SET_STRING, "lowerdir+", directory.c_str()) != 0) {
        throw system_error(errno, "overlay: layer " + directory);
      }
    }
    return;
  }
  std::string joined;
  for (const std::string& directory : directories) {
    if (!joined.empty()) joined += ':';
    for (const char c : directory) {
      if (c == ':' || c == '\\') joined += '\\';
      joined += c;
    }
  }
  if (set_option(context, FSCONFIG_SET_STRING, "lowerdir", joined.c_str()) != 0)
    throw system_error(errno, "overlay: layers");
}

UniqueFd new_context() {
  UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC)));
  if (!context) throw system_error(errno, "overlay");
  return context;
}

UniqueFd mount_context(int context, unsigned attributes) {
  if (set_option(context, FSCONFIG_CMD_CREATE, nullptr, nullptr) != 0) throw system_error(errno, "overlay");
  UniqueFd root(static_cast<int>(::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes)));
  if (!root) throw system_error(errno, "overlay");
  return root;
}

}  // namespace

UniqueFd open_detached_overlay(const std::vector<std::string>& directories) {
  const UniqueFd context = new_context();
  set_layers(context.get(), directories);
  return mount_context(context.get(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

UniqueFd open_writable_overlay(const std::vector<std::filesystem::path>& layers, const std::string& upper,
                               const std::string& work) {
  const UniqueFd context = new_context();
  set_layers(context.get(), {layers.begin(), layers.end()});
  for (const auto& [key, value] : {std::pair{"upperdir", &upper}, {"workdir", &work}}) {
    if (set_option(context.get(), FSCONFIG_SET_STRING, key, value->c_str()) != 0) {
      throw system_error(errno, "overlay: " + *value);
    }
  }
  return mount_context(context.get(), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

}  // namespace quoll::mgr
