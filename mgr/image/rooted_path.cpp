#include "mgr/image/rooted_path.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "task/error.hpp"

namespace quoll::mgr {

namespace {

[[noreturn]] void refuse(int error, const std::string& path) {
  const Error cause = system_error(error, "archive entry " + path);
  const bool entry_is_wrong =
      error == ELOOP || error == ENOTDIR || error == ENAMETOOLONG || error == ENOENT || error == EXDEV;
  throw Error(entry_is_wrong ? ErrorClass::kInvalidArgument : cause.error_class(), cause.message());
}

// The lowest directory above `clean_path`, which is not there itself, and how much of the path leads to it.
std::pair<UniqueFd, std::size_t> nearest_directory(int root_fd, const std::string& clean_path) {
  std::size_t end = clean_path.size();
  while (true) {
    const std::size_t slash = clean_path.rfind('/', end - 1);
    end = slash == clean_path.npos ? 0 : slash;
    if (auto found = open_directory_in_root(root_fd, clean_path.substr(0, end))) return {std::move(*found), end};
    if (end == 0) refuse(ENOENT, clean_path);
  }
}

}  // namespace

std::optional<std::string> clean_archive_path(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path = slash == path.npos ? std::string_view() : path.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (parts.empty()) return std::nullopt;
      parts.pop_back();
      continue;
    }
    parts.push_back(part);
  }
  std::string clean;
  for (const auto part : parts) {
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

SplitPath split_path(std::string_view clean_path) {
  const auto slash = clean_path.rfind('/');
  if (slash == clean_path.npos) return {"", std::string(clean_path)};
  return {std::string(clean_path.substr(0, slash)), std::string(clean_path.substr(slash + 1))};
}

std::optional<UniqueFd> open_directory_in_root(int root_fd, const std::string& clean_path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const char* path = clean_path.empty() ? "." : clean_path.c_str();
  while (true) {
    const long fd = ::syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno == ENOENT) return std::nullopt;
    // EAGAIN: something was renamed on this file system meanwhile, and the kernel could not prove the path safe.
    if (errno != EINTR && errno != EAGAIN) refuse(errno, clean_path);
  }
}

UniqueFd make_directories_in_root(int root_fd, const std::string& clean_path) {
  if (auto found = open_directory_in_root(root_fd, clean_path)) return std::move(*found);
  const SplitPath split = split_path(clean_path);
  if (split.name.empty()) refuse(ENOENT, clean_path);
  // From the nearest that is there down, one component a turn: an archive's name may have thousands of them.
  auto [parent, end] = nearest_directory(root_fd, clean_path);
  while (end != clean_path.npos) {
    const std::size_t begin = end == 0 ? 0 : end + 1;
    end = clean_path.find('/', begin);
    const std::string name = clean_path.substr(begin, end == clean_path.npos ? end : end - begin);
    if (::mkdirat(parent.get(), name.c_str(), 0755) == 0) {
      if (::fchmodat(parent.get(), name.c_str(), 0755, 0) != 0) refuse(errno, clean_path);
    } else if (errno != EEXIST) {
      refuse(errno, clean_path);
    }
    auto child = open_directory_in_root(root_fd, clean_path.substr(0, end));
    if (!child) refuse(ENOENT, clean_path);  // a dangling link stands there
    parent = std::move(*child);
  }
  return std::move(parent);
}

}  // namespace quoll::mgr
