#include "mgr/files/tree_changes.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "mgr/files/inode.hpp"
#include "mgr/files/tree_archive.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "mgr/runtime/detached_overlay.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

UniqueFd open_top(const std::string& path) {
  UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) throw system_error(errno, "open " + path);
  return directory;
}

UniqueFd open_layers(const std::vector<std::filesystem::path>& layers) {
  if (layers.size() == 1) return open_top(layers.front().string());
  return open_detached_overlay({layers.begin(), layers.end()});
}

UniqueFd open_entry(int directory, const std::string& name) {
  return UniqueFd(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

void check_depth(std::size_t depth, const std::stop_token& stop) {
  throw_if_stopped(stop);
  if (depth > TreeArchive::kDepthMax) {
    throw Error(ErrorClass::kInvalidArgument,
                "directory tree deeper than " + std::to_string(TreeArchive::kDepthMax) + " levels");
  }
}

bool same_directory(const struct stat& a, const struct stat& b) {
  return a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_gid == b.st_gid &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

class Comparison {
 public:
  explicit Comparison(const std::stop_token& stop) : stop_(stop) {}

  // `lower` is -1 where the layers have no such directory.
  void compare(int upper, int lower, const std::string& path, std::size_t depth) {
    check_depth(depth, stop_);
    const std::vector<std::string> names = names_in(upper);
    if (lower >= 0 && is_opaque(upper)) add_hidden(lower, names, path);
    for (const std::string& name : names) compare_entry(upper, lower, name, path + "/" + name, depth);
  }

  std::vector<Change> take() {
    std::ranges::sort(changes_, {}, &Change::path);
    return std::move(changes_);
  }

 private:
  void compare_entry(int upper_directory, int lower_directory, const std::string& name, const std::string& path,
                     std::size_t depth) {
    const UniqueFd upper = open_entry(upper_directory, name);
    if (!upper) return;  // gone meanwhile
    const UniqueFd lower = lower_directory >= 0 ? open_entry(lower_directory, name) : UniqueFd();
    const struct stat status = status_of(upper.get());
    if (is_whiteout(status)) {
      if (lower) changes_.push_back({path, ChangeKind::kDeleted});
      return;
    }
    const bool was_directory = lower && S_ISDIR(status_of(lower.get()).st_mode);
    const std::size_t before = changes_.size();
    if (S_ISDIR(status.st_mode)) compare(upper.get(), was_directory ? lower.get() : -1, path, depth + 1);
    if (!lower) {
      changes_.push_back({path, ChangeKind::kAdded});
    } else if (!S_ISDIR(status.st_mode) || changes_.size() > before || !was_directory ||
               !same_directory(status, status_of(lower.get()))) {
      changes_.push_back({path, ChangeKind::kModified});
    }
  }

  // A directory that was removed and made again hides all that the layers had in it.
  void add_hidden(int lower, const std::vector<std::string>& names, const std::string& path) {
    for (const std::string& name : names_in(lower)) {
      if (!std::ranges::binary_search(names, name)) changes_.push_back({path + "/" + name, ChangeKind::kDeleted});
    }
  }

  const std::stop_token& stop_;
  std::vector<Change> changes_;
};

}  // namespace

std::vector<Change> tree_changes(const std::string& upper, const std::vector<std::filesystem::path>& layers,
                                 const std::stop_token& stop) {
  Comparison comparison(stop);
  comparison.compare(open_top(upper).get(), open_layers(layers).get(), "", 0);
  return comparison.take();
}

}  // namespace quoll::mgr
