// MadeEntry: owner, mode, times and attributes of what an archive's entry has made, set through its descriptor.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace quoll::mgr {

// A descriptor of O_PATH takes no other calls than under a name that leads to it and follows no link; for all others
// the lookup of that name is saved.
//
// Lifetime: the descriptor's. Errors: as the system calls, -1 and errno.
class MadeEntry {
 public:
  enum class Kind : std::uint8_t { kOpened, kPathOnly };

  MadeEntry(int fd, Kind kind) : fd_(fd), path_(kind == Kind::kPathOnly ? "/proc/self/fd/" + std::to_string(fd) : "") {}

  int set_owner(uid_t uid, gid_t gid) const { return ::fchownat(fd_, "", uid, gid, AT_EMPTY_PATH); }
  int set_mode(mode_t mode) const { return path_.empty() ? ::fchmod(fd_, mode) : ::chmod(path_.c_str(), mode); }
  int set_times(const timespec* times) const {
    return path_.empty() ? ::futimens(fd_, times) : ::utimensat(AT_FDCWD, path_.c_str(), times, 0);
  }
  int set_attribute(const std::string& key, const std::string& value) const {
    return path_.empty() ? ::fsetxattr(fd_, key.c_str(), value.data(), value.size(), 0)
                         : ::setxattr(path_.c_str(), key.c_str(), value.data(), value.size(), 0);
  }
  int get_status(struct stat& status) const { return ::fstat(fd_, &status); }

 private:
  const int fd_;
  const std::string path_;
};

}  // namespace quoll::mgr
