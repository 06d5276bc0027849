// GrowingFile: a file that one thread still writes and another reads along.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>

#include "task/unique_fd.hpp"

namespace quoll::mgr {

// Thread: one writer's and one reader's; the reader waits for the writer.
class GrowingFile {
 public:
  explicit GrowingFile(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }

  // The writer's: so much of it can be read; that was all, with the digest of its bytes; nothing more will come.
  void grown_to(std::int64_t size);
  void complete(std::int64_t size, const std::string& digest);
  void break_off();

  // The reader's. At least one byte, or 0 at the end of what is complete.
  // Errors: kCancelled where it was broken off; what the file system says.
  std::size_t read(std::span<char> buffer);
  // Waits until it is complete. Errors: kCancelled where it was broken off.
  std::string digest();

 private:
  enum class End : std::uint8_t { kOpen, kComplete, kBroken };

  // Waits for bytes behind `position`, or the end.
  void wait_behind(std::unique_lock<std::mutex>& lock, std::int64_t position);

  const std::filesystem::path path_;
  std::mutex mutex_;
  std::condition_variable grown_;
  std::int64_t size_ = 0;  // guarded by mutex_
  std::string digest_;     // guarded by mutex_
  End end_ = End::kOpen;   // guarded by mutex_
  UniqueFd file_;          // the reader's
  std::int64_t read_ = 0;  // the reader's
};

}  // namespace quoll::mgr
