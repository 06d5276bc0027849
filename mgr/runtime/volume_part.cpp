#include "mgr/runtime/volume_part.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace quoll::mgr {

int clone_volume_part(const char* volume, const char* part) {
  const int top = ::open(volume, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (top < 0) return -1;
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const int place = static_cast<int>(::syscall(SYS_openat2, top, part, &how, sizeof how));
  const int lookup_error = errno;
  ::close(top);
  if (place < 0) {
    errno = lookup_error;
    return -1;
  }
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  const int tree = ::open_tree(place, "", flags);
  const int clone_error = errno;
  ::close(place);
  errno = clone_error;
  return tree;
}

}  // namespace quoll::mgr
