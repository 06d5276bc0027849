#include "mgr/image/tree_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <string_view>

#include "mgr/image/made_entry.hpp"
#include "mgr/image/remove_tree.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kMetaPrefix = ".wh..wh.";
constexpr std::string_view kOpaqueMark = ".wh..wh..opq";
constexpr const char* kOpaqueAttribute = "trusted.overlay.opaque";
constexpr std::int64_t kOwnerMax = std::numeric_limits<std::uint32_t>::max() - 1;

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw Error(ErrorClass::kInvalidArgument, "archive entry \"" + path + "\": " + reason);
}

// A failed call on an entry: what only the entry can be blamed for is the client's fault, the rest is ours.
[[noreturn]] void fail(int error, const std::string& path, const char* action) {
  const std::string what = "archive entry \"" + path + "\": " + action;
  const Error cause = system_error(error, what);
  const bool entry_is_wrong = error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG ||
                              error == EEXIST || error == EINVAL || error == EFBIG || error == EISDIR ||
                              error == EMLINK || error == E2BIG || error == ERANGE;
  throw Error(entry_is_wrong ? ErrorClass::kInvalidArgument : cause.error_class(), cause.message());
}

bool is_whiteout(const struct stat& status) { return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0); }

// An attribute that steers overlayfs itself must come from us only.
bool is_forbidden_attribute(std::string_view name) {
  return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

// Attributes that the file system or our privileges cannot hold are dropped, as Docker does; a file capability is not,
// because the program would silently lose its right.
bool may_drop_attribute(std::string_view name, int error) {
  return (error == ENOTSUP || error == EPERM) && name != "security.capability";
}

void set_attributes(const MadeEntry& made, const TarEntry& entry) {
  for (const auto& [key, value] : entry.xattrs) {
    if (is_forbidden_attribute(key)) continue;
    if (made.set_attribute(key, value) != 0 && !may_drop_attribute(key, errno)) {
      fail(errno, entry.path, "set extended attribute");
    }
  }
}

void check_owner(const TarEntry& entry, const TreeOwner& owner) {
  if (owner.uid < 0 || owner.uid > kOwnerMax || owner.gid < 0 || owner.gid > kOwnerMax) {
    refuse(entry.path, "owner out of range");
  }
}

// Owner first: changing it clears setuid and file capabilities. What is new has our ids mostly, and so have most
// entries, and a file is made with its permissions: asking is cheaper than changing.
void set_metadata(const MadeEntry& made, const TarEntry& entry, const TreeOwner& owner) {
  check_owner(entry, owner);
  const auto uid = static_cast<uid_t>(owner.uid);
  const auto gid = static_cast<gid_t>(owner.gid);
  struct stat status{};
  if (made.get_status(status) != 0) fail(errno, entry.path, "look at it");
  const bool is_owned = status.st_uid == uid && status.st_gid == gid;
  if (!is_owned && made.set_owner(uid, gid) != 0) fail(errno, entry.path, "set owner");
  const bool has_mode = (status.st_mode & 07777) == entry.mode && (is_owned || (entry.mode & 06000) == 0);
  if (entry.type != TarEntryType::kSymlink && !has_mode && made.set_mode(entry.mode) != 0) {
    fail(errno, entry.path, "set mode");
  }
  set_attributes(made, entry);
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (made.set_times(times) != 0) fail(errno, entry.path, "set time");
}

UniqueFd open_made(int parent, const std::string& name, const TarEntry& entry) {
  UniqueFd made(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!made) fail(errno, entry.path, "open");
  return made;
}

void set_opaque(int directory_fd, const std::string& path) {
  if (::fsetxattr(directory_fd, kOpaqueAttribute, "y", 1, 0) != 0) fail(errno, path, "mark directory opaque");
}

void write_at(int fd, const TarBlock& block, const std::string& path) {
  std::size_t done = 0;
  while (done < block.bytes.size()) {
    const ssize_t written =
        ::pwrite(fd, block.bytes.data() + done, block.bytes.size() - done, block.offset + static_cast<off_t>(done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno, path, "write");
    done += static_cast<std::size_t>(written);
  }
}

}  // namespace

// Where a name of the archive lies below the root.
std::string TreeWriter::place_of(const TarEntry& entry, const std::string& name, const char* what) const {
  if (name.find('\0') != std::string::npos) refuse(entry.path, std::string(what) + " holds a zero byte");
  auto clean = clean_archive_path(name);
  if (!clean) refuse(entry.path, std::string(what) + " leads outside the archive's root");
  if (options_.below.empty() || clean->empty()) return clean->empty() ? options_.below : *clean;
  return options_.below + "/" + *clean;
}

int TreeWriter::parent_fd(const std::string& parent) {
  if (!cached_parent_fd_ || cached_parent_ != parent) {
    cached_parent_fd_ = make_directories_in_root(root_fd_, parent);
    cached_parent_ = parent;
  }
  return cached_parent_fd_.get();
}

void TreeWriter::remove_existing(int parent, const std::string& name) {
  struct stat status{};
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (!remove_tree_at(parent, name.c_str())) refuse(name, "cannot replace what is there");
  // Through a link, the parent's own name may have been what went: resolve it again. No clean path starts with a slash.
  cached_parent_ = "/";
}

// Removes what stands where an entry that is no directory is to be.
void TreeWriter::make_way(int parent, const std::string& name, const TarEntry& entry) {
  struct stat status{};
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (options_.keep_kinds && S_ISDIR(status.st_mode)) {
    throw Error(ErrorClass::kInvalidArgument, "cannot overwrite directory \"/" + cached_parent_ + "/" + name +
                                                  "\" with non-directory \"" + entry.path + "\"");
  }
  remove_existing(parent, name);
}

TreeOwner TreeWriter::owner_of(const TarEntry& entry) const {
  return options_.owner.value_or(TreeOwner{entry.uid, entry.gid});
}

void TreeWriter::add_root(const TarEntry& entry) {
  if (entry.type != TarEntryType::kDirectory) refuse(entry.path, "the root must be a directory");
  // Into a container, the directory that is copied to is there already, and stays what it is.
  if (!options_.layer) return;
  set_metadata({root_fd_, MadeEntry::Kind::kOpened}, entry, owner_of(entry));
  directory_times_.push_back({"", entry.mtime});
}

void TreeWriter::add(const TarEntry& entry, TarReader& reader) {
  const std::string path = place_of(entry, entry.path, "name");
  if (path == options_.below) return add_root(entry);
  const SplitPath split = split_path(path);
  const int parent = parent_fd(split.parent);
  if (options_.layer && split.name.starts_with(kWhiteoutPrefix)) return add_whiteout(parent, entry.path, split.name);
  if (entry.type == TarEntryType::kDirectory) return add_directory(parent, path, split.name, entry);
  if (entry.type == TarEntryType::kHardLink) return add_hard_link(parent, path, split.name, entry);
  if (entry.type == TarEntryType::kFile) return add_file(parent, split.name, entry, reader);
  make_way(parent, split.name, entry);
  switch (entry.type) {
    case TarEntryType::kSymlink:
      add_symlink(parent, split.name, entry);
      break;
    case TarEntryType::kCharDevice:
    case TarEntryType::kBlockDevice:
    case TarEntryType::kFifo:
      add_node(parent, split.name, entry);
      break;
    default:
      refuse(entry.path, "unsupported type");
  }
}

void TreeWriter::add_whiteout(int parent, const std::string& path, const std::string& name) {
  if (name == kOpaqueMark) return set_opaque(parent, path);
  if (name.starts_with(kMetaPrefix)) return;  // bookkeeping of the old aufs driver
  const std::string hidden = name.substr(kWhiteoutPrefix.size());
  if (hidden.empty() || hidden == "." || hidden == "..") refuse(path, "invalid whiteout");
  struct stat status{};
  if (::fstatat(parent, hidden.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    // A whiteout speaks of the layers below. What this layer brings itself stays, but a directory of that name must not
    // show the lower one's content.
    if (!S_ISDIR(status.st_mode)) return;
    const UniqueFd directory(::openat(parent, hidden.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) fail(errno, path, "open directory");
    return set_opaque(directory.get(), path);
  }
  if (::mknodat(parent, hidden.c_str(), S_IFCHR, makedev(0, 0)) != 0) fail(errno, path, "make whiteout");
}

void TreeWriter::add_directory(int parent, const std::string& path, const std::string& name, const TarEntry& entry) {
  struct stat status{};
  bool opaque = false;
  if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    opaque = options_.layer && is_whiteout(status);
    if (!S_ISDIR(status.st_mode)) {
      if (options_.keep_kinds) {
        throw Error(ErrorClass::kInvalidArgument,
                    "cannot overwrite non-directory \"/" + path + "\" with directory \"" + entry.path + "\"");
      }
      remove_existing(parent, name);
      if (::mkdirat(parent, name.c_str(), 0700) != 0) fail(errno, entry.path, "make directory");
    }
  } else if (::mkdirat(parent, name.c_str(), 0700) != 0) {
    fail(errno, entry.path, "make directory");
  }
  const UniqueFd directory(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) fail(errno, entry.path, "open directory");
  set_metadata({directory.get(), MadeEntry::Kind::kOpened}, entry, owner_of(entry));
  if (opaque) set_opaque(directory.get(), entry.path);
  directory_times_.push_back({path, entry.mtime});
}

void TreeWriter::add_file(int parent, const std::string& name, const TarEntry& entry, TarReader& reader) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const mode_t mode = entry.mode & 0777;  // the rest once it is whole and has its owner
  UniqueFd file(::openat(parent, name.c_str(), kFlags, mode));
  if (!file && errno == EEXIST) {
    make_way(parent, name, entry);
    file.reset(::openat(parent, name.c_str(), kFlags, mode));
  }
  if (!file) fail(errno, entry.path, "create file");
  try {
    write_content(file.get(), entry, reader);
    set_metadata({file.get(), MadeEntry::Kind::kOpened}, entry, owner_of(entry));
  } catch (...) {
    ::unlinkat(parent, name.c_str(), 0);
    throw;
  }
}

void TreeWriter::write_content(int file, const TarEntry& entry, TarReader& reader) {
  TarBlock block;
  std::int64_t end = 0;
  while (reader.read_block(block)) {
    end = block.offset + static_cast<std::int64_t>(block.bytes.size());
    if (!entry.sparse) reserve_ahead(file, block.offset, end, entry.size);
    write_at(file, block, entry.path);
  }
  // A sparse file may end in a hole.
  if (end != entry.size && ::ftruncate(file, entry.size) != 0) fail(errno, entry.path, "set size");
  if (entry.size > std::numeric_limits<std::int64_t>::max() - size_) refuse(entry.path, "size out of range");
  size_ += entry.size;
}

void TreeWriter::add_hard_link(int parent, const std::string& path, const std::string& name, const TarEntry& entry) {
  const std::string target = place_of(entry, entry.link_target, "link target");
  if (target == path) return;
  const SplitPath split = split_path(target);
  const auto target_parent = open_directory_in_root(root_fd_, split.parent);
  struct stat source{};
  if (split.name.empty() || !target_parent ||
      ::fstatat(target_parent->get(), split.name.c_str(), &source, AT_SYMLINK_NOFOLLOW) != 0) {
    refuse(entry.path, "hard link to \"" + entry.link_target + "\", which is not there");
  }
  if (S_ISDIR(source.st_mode)) refuse(entry.path, "hard link to a directory");
  struct stat existing{};
  if (::fstatat(parent, name.c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0) {
    // Two names of one file: removing the one could be removing the target.
    if (existing.st_ino == source.st_ino && existing.st_dev == source.st_dev) return;
    make_way(parent, name, entry);
  }
  if (::linkat(target_parent->get(), split.name.c_str(), parent, name.c_str(), 0) != 0) {
    fail(errno, entry.path, "hard link");
  }
}

void TreeWriter::add_symlink(int parent, const std::string& name, const TarEntry& entry) {
  if (entry.link_target.empty()) refuse(entry.path, "symbolic link without a target");
  if (::symlinkat(entry.link_target.c_str(), parent, name.c_str()) != 0) fail(errno, entry.path, "symbolic link");
  set_metadata({open_made(parent, name, entry).get(), MadeEntry::Kind::kPathOnly}, entry, owner_of(entry));
}

void TreeWriter::add_node(int parent, const std::string& name, const TarEntry& entry) {
  mode_t type = S_IFIFO;
  if (entry.type == TarEntryType::kCharDevice) type = S_IFCHR;
  if (entry.type == TarEntryType::kBlockDevice) type = S_IFBLK;
  const dev_t device = entry.type == TarEntryType::kFifo ? 0 : makedev(entry.device_major, entry.device_minor);
  if (::mknodat(parent, name.c_str(), type | 0600, device) != 0) fail(errno, entry.path, "make node");
  set_metadata({open_made(parent, name, entry).get(), MadeEntry::Kind::kPathOnly}, entry, owner_of(entry));
}

void TreeWriter::finish() {
  for (const auto& [path, mtime] : directory_times_) {
    const SplitPath split = split_path(path);
    const timespec times[2] = {mtime, mtime};
    try {
      const auto parent = open_directory_in_root(root_fd_, split.parent);
      const char* name = split.name.empty() ? "." : split.name.c_str();
      if (parent) ::utimensat(parent->get(), name, times, AT_SYMLINK_NOFOLLOW);
    } catch (const Error&) {
      // A later entry put something else in the directory's place: its time is no longer anybody's.
    }
  }
}

}  // namespace quoll::mgr
