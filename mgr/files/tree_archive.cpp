#include "mgr/files/tree_archive.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "mgr/files/inode.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kReadBytes = 128 * 1024;
constexpr std::size_t kChunkBytes = 512 * 1024;

std::string join(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent.ends_with('/') ? parent + name : parent + "/" + name;
}

TarEntryType type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return TarEntryType::kFile;
    case S_IFDIR:
      return TarEntryType::kDirectory;
    case S_IFLNK:
      return TarEntryType::kSymlink;
    case S_IFCHR:
      return TarEntryType::kCharDevice;
    case S_IFBLK:
      return TarEntryType::kBlockDevice;
    case S_IFIFO:
      return TarEntryType::kFifo;
    default:
      return TarEntryType::kOther;
  }
}

TarEntry entry_of(int place, const struct stat& status, const std::string& path) {
  TarEntry entry;
  entry.type = type_of(status.st_mode);
  entry.path = path;
  entry.mode = status.st_mode & 07777;
  entry.uid = status.st_uid;
  entry.gid = status.st_gid;
  entry.mtime = status.st_mtim;
  if (entry.type == TarEntryType::kFile) entry.size = status.st_size;
  if (entry.type == TarEntryType::kSymlink) entry.link_target = read_link(place);
  entry.device_major = major(status.st_rdev);
  entry.device_minor = minor(status.st_rdev);
  return entry;
}

// A reader takes pieces of its own size.
struct ArchiveSource {
  TreeArchive archive;
  std::stop_token stop;
  std::string chunk;
  std::size_t taken = 0;

  std::size_t operator()(std::span<char> buffer) {
    if (taken == chunk.size()) {
      archive.read(chunk, kChunkBytes, stop);
      taken = 0;
    }
    const std::size_t count = std::min(buffer.size(), chunk.size() - taken);
    if (count > 0) std::memcpy(buffer.data(), chunk.data() + taken, count);
    taken += count;
    return count;
  }
};

}  // namespace

ByteSource tree_source(UniqueFd place, TreeArchiveOptions options, std::stop_token stop) {
  auto source = std::make_shared<ArchiveSource>(
      ArchiveSource{TreeArchive(std::move(place), std::move(options)), std::move(stop), {}});
  return [source](std::span<char> buffer) { return (*source)(buffer); };
}

TreeArchive::TreeArchive(UniqueFd place, TreeArchiveOptions options)
    : options_(std::move(options)), tar_(std::make_unique<TarWriter>()), top_(std::move(place)), buffer_(kReadBytes) {}
TreeArchive::~TreeArchive() = default;
TreeArchive::TreeArchive(TreeArchive&&) noexcept = default;

void TreeArchive::read(std::string& chunk, std::size_t size, const std::stop_token& stop) {
  std::string& output = tar_->output();
  output.clear();
  while (output.size() < size && !ended_) {
    throw_if_stopped(stop);
    step();
  }
  chunk.swap(output);
}

void TreeArchive::step() {
  if (file_) return read_content();
  if (top_) return add(std::move(top_), options_.top_name);
  if (directories_.empty()) {
    tar_->finish();
    ended_ = true;
    return;
  }
  Directory& directory = directories_.back();
  errno = 0;
  const dirent* const entry = ::readdir(directory.stream.get());
  if (entry == nullptr) {
    if (errno != 0) throw system_error(errno, "read directory " + directory.name);
    directories_.pop_back();
    return;
  }
  const std::string name = entry->d_name;
  if (name != "." && name != "..") visit(::dirfd(directory.stream.get()), name, directory.name);
}

void TreeArchive::visit(int parent, const std::string& name, const std::string& path) {
  UniqueFd place(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!place) {
    if (errno == ENOENT) return;  // removed meanwhile
    throw system_error(errno, "open " + join(path, name));
  }
  add(std::move(place), join(path, name));
}

void TreeArchive::add(UniqueFd place, const std::string& path) {
  const struct stat status = status_of(place.get());
  TarEntry entry = entry_of(place.get(), status, path);
  if (entry.type == TarEntryType::kOther) return;
  if (options_.layer && is_whiteout(status)) {
    const auto slash = path.rfind('/');
    const std::string parent = slash == path.npos ? "" : path.substr(0, slash + 1);
    return add_mark(parent + ".wh." + path.substr(slash == path.npos ? 0 : slash + 1));
  }
  if (entry.type == TarEntryType::kDirectory && path.empty()) return enter(place.get(), path);
  if (status.st_nlink > 1 && entry.type != TarEntryType::kDirectory && add_known_link(status, entry)) return;
  entry.xattrs = read_attributes(place.get());
  if (entry.type == TarEntryType::kFile) return add_file(place.get(), entry);
  tar_->add(entry);
  if (entry.type == TarEntryType::kDirectory) enter(place.get(), path);
}

bool TreeArchive::add_known_link(const struct stat& status, TarEntry& entry) {
  const auto [known, is_first] = linked_.emplace(std::pair(status.st_dev, status.st_ino), entry.path);
  if (is_first) return false;
  entry.type = TarEntryType::kHardLink;
  entry.link_target = known->second;
  tar_->add(entry);
  return true;
}

void TreeArchive::add_file(int place, const TarEntry& entry) {
  file_ = reopen(place, O_RDONLY);
  file_left_ = entry.size;
  tar_->add(entry);
  if (file_left_ == 0) file_.reset();
}

void TreeArchive::read_content() {
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::int64_t>(file_left_, kReadBytes));
  ssize_t got = ::read(file_.get(), buffer_.data(), wanted);
  if (got < 0 && errno == EINTR) return;
  if (got < 0) throw system_error(errno, "read a file of the container");
  if (got == 0) {
    // It has become shorter since its header was written: zeros, as tar does.
    std::memset(buffer_.data(), 0, wanted);
    got = static_cast<ssize_t>(wanted);
  }
  tar_->write({buffer_.data(), static_cast<std::size_t>(got)});
  file_left_ -= got;
  if (file_left_ == 0) file_.reset();
}

void TreeArchive::enter(int place, const std::string& path) {
  if (directories_.size() >= kDepthMax) {
    throw Error(ErrorClass::kInvalidArgument, "directory tree deeper than " + std::to_string(kDepthMax) + " levels");
  }
  if (options_.layer && is_opaque(place)) add_mark(join(path, ".wh..wh..opq"));
  UniqueFd directory = reopen(place, O_RDONLY | O_DIRECTORY);
  DIR* const stream = ::fdopendir(directory.get());
  if (stream == nullptr) throw system_error(errno, "open directory " + path);
  directory.release();
  directories_.push_back({{stream, &::closedir}, path});
}

// An empty file by whose name a layer says something.
void TreeArchive::add_mark(const std::string& path) {
  TarEntry entry;
  entry.type = TarEntryType::kFile;
  entry.path = path;
  entry.mode = 0600;
  tar_->add(entry);
}

}  // namespace quoll::mgr
