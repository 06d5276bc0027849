#include "mgr/image/durable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "mgr/image/remove_tree.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::int64_t kStretch = 8LL * 1024 * 1024;  // of a large file, asked for or begun with at one time

}  // namespace

UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) throw system_error(errno, "open " + path.string());
  return fd;
}

void write_all(int fd, std::span<const char> bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw system_error(errno, "write " + std::string(what));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void reserve_ahead(int fd, std::int64_t before, std::int64_t after, std::int64_t size) {
  constexpr std::int64_t kSizeMin = 128LL * 1024;  // below, it costs more than it saves
  const std::int64_t from = (before + kStretch - 1) / kStretch * kStretch;
  if (size < kSizeMin || from >= after) return;
  const std::int64_t to = std::min(size, (after + kStretch - 1) / kStretch * kStretch);
  // Not every file system can, and one that has no room says so when it is written to.
  if (to > from) ::fallocate(fd, FALLOC_FL_KEEP_SIZE, from, to - from);
}

void start_writeback(int fd, std::int64_t before, std::int64_t after) {
  if (before / kStretch == after / kStretch) return;
  const std::int64_t from = before / kStretch * kStretch;
  // Advice only: an error shows when the file is flushed.
  ::sync_file_range(fd, from, after / kStretch * kStretch - from, SYNC_FILE_RANGE_WRITE);
}

void sync_file(int fd, std::string_view what) {
  if (::fsync(fd) != 0) throw system_error(errno, "sync " + std::string(what));
}

void sync_files(const std::vector<std::filesystem::path>& paths) {
  constexpr unsigned kWait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  for (const auto& path : paths) ::sync_file_range(open_file(path, O_RDONLY).get(), 0, 0, SYNC_FILE_RANGE_WRITE);
  for (const auto& path : paths) ::sync_file_range(open_file(path, O_RDONLY).get(), 0, 0, kWait);
  for (const auto& path : paths) sync_file(open_file(path, O_RDONLY).get(), path.string());
}

ByteSource file_source(int fd, std::string what) {
  return [fd, what = std::move(what)](std::span<char> buffer) -> std::size_t {
    while (true) {
      const ssize_t got = ::read(fd, buffer.data(), buffer.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) throw system_error(errno, "read " + what);
    }
  };
}

std::string read_file(const std::filesystem::path& path, std::size_t size_max) {
  const UniqueFd fd = open_file(path, O_RDONLY);
  const ByteSource source = file_source(fd.get(), path.string());
  // Read to the end, not to the size that stat says: that is 0 for files of the kernel.
  std::string content;
  std::array<char, 16 * 1024> piece;
  while (const std::size_t got = source(piece)) {
    if (got > size_max - content.size()) {
      throw Error(ErrorClass::kInvalidArgument, path.filename().string() + ": larger than allowed");
    }
    content.append(piece.data(), got);
  }
  return content;
}

bool path_exists(const std::filesystem::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw system_error(errno, "stat " + path.string());
}

std::int64_t size_on_disk(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_size : 0;
}

void rename_path(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw system_error(errno, "rename " + from.string());
}

void sync_directory(const std::filesystem::path& directory) {
  const UniqueFd fd = open_file(directory, O_RDONLY | O_DIRECTORY);
  sync_file(fd.get(), directory.string());
}

void sync_file_system(const std::filesystem::path& path) {
  const UniqueFd fd = open_file(path, O_RDONLY | O_DIRECTORY);
  if (::syncfs(fd.get()) != 0) throw system_error(errno, "sync file system of " + path.string());
}

void replace_file(const std::filesystem::path& path, const std::filesystem::path& temporary, std::string_view content) {
  try {
    const UniqueFd fd = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    write_all(fd.get(), content, temporary.string());
    sync_file(fd.get(), temporary.string());
    rename_path(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

TemporaryDirectory::TemporaryDirectory(const std::filesystem::path& parent) {
  std::string name = (parent / "work-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw system_error(errno, "create directory in " + parent.string());
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  if (!path_.empty()) remove_tree(path_);
}

}  // namespace quoll::mgr
