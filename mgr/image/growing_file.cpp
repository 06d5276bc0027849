#include "mgr/image/growing_file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <limits>

#include "mgr/image/durable_file.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

void GrowingFile::grown_to(std::int64_t size) {
  {
    const std::lock_guard lock(mutex_);
    size_ = size;
  }
  grown_.notify_one();
}

void GrowingFile::complete(std::int64_t size, const std::string& digest) {
  {
    const std::lock_guard lock(mutex_);
    size_ = size;
    digest_ = digest;
    if (end_ == End::kOpen) end_ = End::kComplete;
  }
  grown_.notify_one();
}

void GrowingFile::break_off() {
  {
    const std::lock_guard lock(mutex_);
    if (end_ == End::kOpen) end_ = End::kBroken;
  }
  grown_.notify_one();
}

void GrowingFile::wait_behind(std::unique_lock<std::mutex>& lock, std::int64_t position) {
  grown_.wait(lock, [&] { return end_ != End::kOpen || size_ > position; });
  if (end_ == End::kBroken) throw Error(ErrorClass::kCancelled, "the archive was broken off");
}

std::size_t GrowingFile::read(std::span<char> buffer) {
  std::int64_t ready = 0;
  {
    std::unique_lock lock(mutex_);
    wait_behind(lock, read_);
    ready = size_ - read_;
  }
  if (!file_) file_ = open_file(path_, O_RDONLY);
  const auto count = std::min<std::int64_t>(ready, static_cast<std::int64_t>(buffer.size()));
  const std::size_t got = file_source(file_.get(), path_.string())(buffer.first(static_cast<std::size_t>(count)));
  read_ += static_cast<std::int64_t>(got);
  return got;
}

std::string GrowingFile::digest() {
  std::unique_lock lock(mutex_);
  wait_behind(lock, std::numeric_limits<std::int64_t>::max());
  return digest_;
}

}  // namespace quoll::mgr
