#include "mgr/files/container_copy.hpp"

#include <sys/stat.h>

#include <array>

#include "mgr/files/inode.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

// Tars are padded behind their end: whoever sends one must find somebody who reads.
void drain(const ByteSource& source) {
  std::array<char, 16 * 1024> buffer;
  while (source(buffer) != 0) {
  }
}

bool is_below(const std::string& path, const std::string& directory) {
  return directory == "/" || path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

void check_writable(const std::string& resolved, const ExtractOptions& options) {
  const RootMount* innermost = nullptr;
  for (const RootMount& mount : options.mounts) {
    const bool deeper = innermost == nullptr || mount.target.size() > innermost->target.size();
    if (is_below(resolved, mount.target) && deeper) innermost = &mount;
  }
  if (innermost != nullptr && innermost->read_only) {
    throw Error(ErrorClass::kPermissionDenied, "mounted volume is marked read-only");
  }
  if (innermost == nullptr && options.read_only_root) {
    throw Error(ErrorClass::kPermissionDenied, "container rootfs is marked read-only");
  }
}

// As Docker names the top of an archive.
std::string top_name(const std::string& path, const PathStat& stat) {
  if (path == "." || path.ends_with("/.")) return ".";
  return stat.name;
}

}  // namespace

std::optional<PathArchive> archive_in_root(int root, const std::string& path) {
  auto stat = stat_in_root(root, path);
  if (!stat) return std::nullopt;
  UniqueFd place = find_in_root(root, clean_absolute_path(path), path.ends_with('/') || path.ends_with("/."));
  if (!place) return std::nullopt;
  TreeArchiveOptions options;
  options.top_name = top_name(path, *stat);
  return PathArchive{std::move(*stat), TreeArchive(std::move(place), std::move(options))};
}

bool extract_in_root(int root, const std::string& path, const ExtractOptions& options, ByteSource tar,
                     const std::stop_token& stop) {
  const std::string resolved = resolve_in_root(root, path);
  const UniqueFd place = find_in_root(root, resolved, false);
  if (!place) return false;
  if (!S_ISDIR(status_of(place.get()).st_mode)) {
    throw Error(ErrorClass::kInvalidArgument, "extraction point is not a directory");
  }
  check_writable(resolved, options);
  bool at_end = false;
  const ByteSource input = [&](std::span<char> buffer) -> std::size_t {
    throw_if_stopped(stop);
    const std::size_t got = at_end ? 0 : tar(buffer);
    at_end = got == 0;
    return got;
  };
  TreeWriter writer(root, {.below = resolved.substr(1), .keep_kinds = options.keep_kinds, .owner = options.owner});
  TarReader reader(input, OuterCompression::kAny);
  while (reader.next()) writer.add(reader.entry(), reader);
  writer.finish();
  drain(input);
  return true;
}

}  // namespace quoll::mgr
