#include "mgr/volume/directory_size.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <utility>

#include "task/error.hpp"

namespace quoll::mgr {

std::int64_t directory_size(const std::string& path, const std::stop_token& stop) {
  namespace fs = std::filesystem;
  std::int64_t bytes = 0;
  std::set<std::pair<dev_t, ino_t>> linked;
  std::error_code error;
  fs::recursive_directory_iterator walk(path, fs::directory_options::skip_permission_denied, error);
  for (const fs::recursive_directory_iterator end; !error && walk != end; walk.increment(error)) {
    if (stop.stop_requested()) throw Error(ErrorClass::kCancelled, path + ": size: cancelled");
    struct stat status;
    if (::lstat(walk->path().c_str(), &status) != 0 || S_ISDIR(status.st_mode)) continue;
    if (status.st_nlink > 1 && !linked.emplace(status.st_dev, status.st_ino).second) continue;
    bytes += status.st_size;
  }
  return bytes;
}

}  // namespace quoll::mgr
