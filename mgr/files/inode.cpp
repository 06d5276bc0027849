#include "mgr/files/inode.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

// A name for calls that take no O_PATH descriptor. It leads to the very file, also where that is a link.
std::string path_of(int place) { return "/proc/self/fd/" + std::to_string(place); }

bool is_left_out(std::string_view name) {
  return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.") || name == "security.selinux";
}

std::optional<std::string> read_attribute(const std::string& path, const char* name) {
  std::string value(256, '\0');
  while (true) {
    const ssize_t size = ::getxattr(path.c_str(), name, value.data(), value.size());
    if (size >= 0) {
      value.resize(static_cast<std::size_t>(size));
      return value;
    }
    if (errno != ERANGE) return std::nullopt;  // gone meanwhile
    value.resize(XATTR_SIZE_MAX);
  }
}

}  // namespace

struct stat status_of(int place) {
  struct stat status{};
  if (::fstat(place, &status) != 0) throw system_error(errno, "stat a file of the container");
  return status;
}

std::string read_link(int place) {
  std::array<char, PATH_MAX> target;
  const ssize_t size = ::readlinkat(place, "", target.data(), target.size());
  if (size < 0) throw system_error(errno, "read a link of the container");
  return {target.data(), static_cast<std::size_t>(size)};
}

std::vector<std::pair<std::string, std::string>> read_attributes(int place) {
  std::vector<std::pair<std::string, std::string>> attributes;
  const std::string path = path_of(place);
  std::array<char, 1024> few;
  std::string many;
  ssize_t size = ::listxattr(path.c_str(), few.data(), few.size());
  std::string_view names(few.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  if (size < 0 && errno == ERANGE) {
    many.resize(XATTR_LIST_MAX);
    size = ::listxattr(path.c_str(), many.data(), many.size());
    names = std::string_view(many).substr(0, size > 0 ? static_cast<std::size_t>(size) : 0);
  }
  if (size < 0 && errno != ENOTSUP) throw system_error(errno, "list attributes of a file of the container");
  while (!names.empty()) {
    const std::string name(names.substr(0, names.find('\0')));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    if (is_left_out(name)) continue;
    if (auto value = read_attribute(path, name.c_str())) attributes.emplace_back(name, std::move(*value));
  }
  return attributes;
}

UniqueFd reopen(int place, int flags) {
  UniqueFd file(::open(path_of(place).c_str(), flags | O_CLOEXEC));
  if (!file) throw system_error(errno, "open a file of the container");
  return file;
}

std::vector<std::string> names_in(int place) {
  UniqueFd directory = reopen(place, O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(directory.get()), &::closedir);
  if (!stream) throw system_error(errno, "list a directory");
  directory.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* const entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) throw system_error(errno, "list a directory");
  std::ranges::sort(names);
  return names;
}

bool is_whiteout(const struct stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0); }

bool is_opaque(int place) {
  char value = 0;
  return ::getxattr(path_of(place).c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

UniqueFd find_in_root(int root, const std::string& path, bool follow) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const char* const name = path.empty() ? "." : path.c_str();
  while (true) {
    UniqueFd place(static_cast<int>(::syscall(SYS_openat2, root, name, &how, sizeof how)));
    if (place || errno == ENOENT || errno == ENOTDIR) return place;
    // EAGAIN: something was renamed on this file system meanwhile, and the kernel could not prove the path safe.
    if (errno == EINTR || errno == EAGAIN) continue;
    if (errno == ELOOP || errno == ENAMETOOLONG) {
      throw Error(ErrorClass::kInvalidArgument, system_error(errno, path).message());
    }
    throw system_error(errno, "find " + path + " in the container");
  }
}

}  // namespace quoll::mgr
