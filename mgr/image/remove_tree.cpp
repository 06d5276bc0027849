#include "mgr/image/remove_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace quoll::mgr {

namespace {

constexpr int kDepthMax = 64;

class Remover {
 public:
  explicit Remover(int top_fd) : top_fd_(top_fd) {}

  // Empties the open directory `fd` (which it takes). What lies deeper than kDepthMax is moved up beside the top's own
  // entries, where a later pass finds it.
  bool empty(int fd, int depth) {
    DIR* stream = ::fdopendir(fd);
    if (stream == nullptr) {
      ::close(fd);
      return false;
    }
    bool clean = true;
    while (const dirent* entry = ::readdir(stream)) {
      const char* name = entry->d_name;
      if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) continue;
      clean = remove_entry(::dirfd(stream), name, depth) && clean;
    }
    ::closedir(stream);
    return clean;
  }

  bool moved_any() const { return moved_ > 0; }
  void forget_moves() { moved_ = 0; }

 private:
  bool remove_entry(int fd, const char* name, int depth) {
    if (::unlinkat(fd, name, 0) == 0 || errno == ENOENT) return true;
    if (errno != EISDIR && errno != EPERM) return false;
    if (depth >= kDepthMax) {
      const std::string moved = ".deep-" + std::to_string(++sequence_);
      ++moved_;
      return ::renameat(fd, name, top_fd_, moved.c_str()) == 0;
    }
    const int child = ::openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child < 0) return false;
    const bool clean = empty(child, depth + 1);
    return ::unlinkat(fd, name, AT_REMOVEDIR) == 0 && clean;
  }

  int top_fd_;
  long sequence_ = 0;
  long moved_ = 0;
};

}  // namespace

bool remove_tree_at(int directory_fd, const char* name) noexcept try {
  if (::unlinkat(directory_fd, name, 0) == 0 || errno == ENOENT) return true;
  if (errno != EISDIR && errno != EPERM) return false;
  const int top = ::openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (top < 0) return false;
  Remover remover(top);
  bool clean = true;
  do {
    remover.forget_moves();
    const int again = ::openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    clean = again >= 0 && remover.empty(again, 0);
  } while (clean && remover.moved_any());
  ::close(top);
  return ::unlinkat(directory_fd, name, AT_REMOVEDIR) == 0 && clean;
} catch (...) {
  return false;
}

bool remove_tree(const std::filesystem::path& path) noexcept { return remove_tree_at(AT_FDCWD, path.c_str()); }

void remove_trees(const std::vector<std::filesystem::path>& paths) noexcept {
  for (const auto& path : paths) remove_tree(path);
}

}  // namespace quoll::mgr
