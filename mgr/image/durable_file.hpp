// Small files that must survive a crash, and the directories they live in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "task/unique_fd.hpp"

namespace quoll::mgr {

// Fills the front of a buffer and says how many bytes; 0 is the end. What it throws passes through unchanged.
using ByteSource = std::function<std::size_t(std::span<char>)>;

UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode = 0600);

// Writes all of `bytes`. Errors: kResourceExhausted on a full disk.
void write_all(int fd, std::span<const char> bytes, std::string_view what);

// Before a file of `size` bytes in all, or so its header says, is written from `before` to `after`: has the file system
// find room for the stretch of some megabytes that begins there, at once and not page by page. What was found beyond
// the end, because the header said too much, is given back with the file. Does nothing for a small file.
void reserve_ahead(int fd, std::int64_t before, std::int64_t after, std::int64_t size);

// For a file that was written from `before` to `after`: has the disk begin with each stretch of some megabytes, so
// that little is left to wait for when the file is flushed.
void start_writeback(int fd, std::int64_t before, std::int64_t after);

// Waits until the file's content is on the disk.
void sync_file(int fd, std::string_view what);

// The same of many: their content is waited for before the first is flushed, so that one commit of the file system's
// journal does for all.
void sync_files(const std::vector<std::filesystem::path>& paths);

// Errors: kNotFound when there is none; kInvalidArgument when it is larger than `size_max`.
std::string read_file(const std::filesystem::path& path, std::size_t size_max);

// Replaces `path` as a whole: written to `temporary`, flushed, renamed. After a crash the old or the new content is
// there, never a mixture; flush the directory to be sure of the new. An error means that the old content is still
// there. REQUIRES: `temporary` is on the same file system and not in use.
void replace_file(const std::filesystem::path& path, const std::filesystem::path& temporary, std::string_view content);

// False only when there is certainly nothing: any other trouble is thrown, since callers drop what "is not there".
bool path_exists(const std::filesystem::path& path);

// Bytes of the file; 0 when there is none.
std::int64_t size_on_disk(const std::filesystem::path& path);

void rename_path(const std::filesystem::path& from, const std::filesystem::path& to);

void sync_directory(const std::filesystem::path& directory);

// Flushes everything on the file system that holds `path`: one call after thousands of small files.
void sync_file_system(const std::filesystem::path& path);

// A source of the bytes of an open file from its current offset. REQUIRES: `fd` outlives it.
ByteSource file_source(int fd, std::string what);

// A new directory (0700) below `parent`, removed with all it holds when the object goes.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::filesystem::path& parent);
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace quoll::mgr
