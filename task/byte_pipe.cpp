#include "task/byte_pipe.hpp"

#include <algorithm>
#include <cstring>

#include "task/error.hpp"

namespace quoll::task {

// False where there is no room.
bool BytePipe::put(std::string_view bytes) {
  std::lock_guard lock(mutex_);
  if (reader_gone_) return true;
  if (filling_.size() >= kCapacity) {
    room_.reset();
    return false;
  }
  filling_.append(bytes);
  if (filling_.size() >= kWakeBytes) filled_.notify_one();
  return true;
}

Task<void> BytePipe::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kCapacity / 2);
    while (!put(piece)) co_await room_.wait();
    bytes.remove_prefix(piece.size());
  }
}

void BytePipe::end(End how) {
  std::lock_guard lock(mutex_);
  if (end_ == End::kOpen) end_ = how;
  filled_.notify_one();
}

void BytePipe::close() { end(End::kClosed); }

void BytePipe::break_off() { end(End::kBroken); }

// Waits for bytes or the end where nothing is in the reader's hand.
void BytePipe::fetch() {
  if (drained_ < draining_.size()) return;
  std::unique_lock lock(mutex_);
  filled_.wait(lock, [this] { return filling_.size() >= kWakeBytes || end_ != End::kOpen; });
  if (end_ == End::kBroken) throw Error(ErrorClass::kCancelled, "the upload was broken off");
  draining_.clear();
  drained_ = 0;
  draining_.swap(filling_);
  room_.set();
}

std::size_t BytePipe::read(std::span<char> buffer) {
  fetch();
  const std::size_t count = std::min(buffer.size(), draining_.size() - drained_);
  if (count > 0) std::memcpy(buffer.data(), draining_.data() + drained_, count);
  drained_ += count;
  return count;
}

void BytePipe::end_reading() {
  std::lock_guard lock(mutex_);
  reader_gone_ = true;
  filling_.clear();
  room_.set();
}

}  // namespace quoll::task
