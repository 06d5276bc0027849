#include "mgr/runtime/shim_overlay.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "mgr/runtime/shim_failure.hpp"

namespace quoll::mgr {
namespace {

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

}  // namespace

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

void mount_overlay(const Overlay& overlay) {
  if (kernel_takes_single_layers())
    mount_by_context(overlay);
  else
    mount_by_text(overlay);
}

}  // namespace quoll::mgr
