#include "mgr/files/path_stat.hpp"

#include <sys/stat.h>

#include <string_view>
#include <vector>

#include "mgr/files/inode.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr int kLinksMax = 255;  // as Docker's own walk
constexpr std::int64_t kSecond_ns = 1'000'000'000;

// Go's os.FileMode: permissions, and bits of its own for all else. https://pkg.go.dev/io/fs#FileMode
std::uint32_t go_mode(mode_t mode) {
  std::uint32_t result = mode & 0777;
  if ((mode & S_ISUID) != 0) result |= 1u << 23;
  if ((mode & S_ISGID) != 0) result |= 1u << 22;
  if ((mode & S_ISVTX) != 0) result |= 1u << 20;
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return result | 1u << 31;
    case S_IFLNK:
      return result | 1u << 27;
    case S_IFBLK:
      return result | 1u << 26;
    case S_IFCHR:
      return result | 1u << 26 | 1u << 21;
    case S_IFIFO:
      return result | 1u << 25;
    case S_IFSOCK:
      return result | 1u << 24;
    default:
      return result;
  }
}

// Pushes the parts of `path` onto `parts`, the first on top.
void push_parts(std::vector<std::string>& parts, std::string_view path) {
  while (!path.empty()) {
    const auto slash = path.rfind('/');
    const std::string_view part = slash == path.npos ? path : path.substr(slash + 1);
    path = slash == path.npos ? std::string_view() : path.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
  }
}

}  // namespace

std::string clean_absolute_path(const std::string& path) {
  std::vector<std::string> parts;
  push_parts(parts, path);
  std::string clean;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (*part == "..") {
      clean.resize(clean.empty() ? 0 : clean.rfind('/'));
    } else {
      clean += "/" + *part;
    }
  }
  return clean.empty() ? "/" : clean;
}

std::string resolve_in_root(int root, const std::string& path) {
  std::vector<std::string> parts;
  push_parts(parts, clean_absolute_path(path));
  std::string resolved;
  int links = 0;
  while (!parts.empty()) {
    const std::string part = std::move(parts.back());
    parts.pop_back();
    if (part == "..") {
      resolved.resize(resolved.empty() ? 0 : resolved.rfind('/'));
      continue;
    }
    const std::string next = resolved + "/" + part;
    const UniqueFd place = find_in_root(root, next, false);
    if (!place || !S_ISLNK(status_of(place.get()).st_mode)) {
      resolved = next;
      continue;
    }
    if (++links > kLinksMax) throw Error(ErrorClass::kInvalidArgument, path + ": too many links");
    const std::string target = read_link(place.get());
    if (target.starts_with('/')) resolved.clear();
    push_parts(parts, target);
  }
  return resolved.empty() ? "/" : resolved;
}

std::optional<PathStat> stat_in_root(int root, const std::string& path) {
  std::string clean = clean_absolute_path(path);
  const bool through_link = path.ends_with('/') || path.ends_with("/.");
  const UniqueFd place = find_in_root(root, clean, through_link);
  if (!place) return std::nullopt;
  const struct stat status = status_of(place.get());
  if (through_link && !S_ISDIR(status.st_mode)) return std::nullopt;
  PathStat result;
  result.name = clean == "/" ? "/" : clean.substr(clean.rfind('/') + 1);
  result.size = status.st_size;
  result.mode = go_mode(status.st_mode);
  result.mtime_ns = status.st_mtim.tv_sec * kSecond_ns + status.st_mtim.tv_nsec;
  if (S_ISLNK(status.st_mode)) result.link_target = resolve_in_root(root, clean);
  return result;
}

}  // namespace quoll::mgr
