#include "mgr/image/early_unpacker.hpp"

#include <algorithm>
#include <system_error>

#include "mgr/image/layer_directory.hpp"
#include "mgr/image/remove_tree.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

EarlyUnpacker::~EarlyUnpacker() {
  stop_.request_stop();
  {
    const std::lock_guard lock(mutex_);
    waiting_.clear();
    complete_ = true;
  }
  more_.notify_all();
}

void EarlyUnpacker::add(const SpooledFile& file) {
  if (!looks_like_layer(file.path)) return;
  std::size_t waiting = 0;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(file);
    waiting = waiting_.size();
  }
  more_.notify_one();
  const unsigned limit = std::clamp(std::thread::hardware_concurrency(), 1U, kThreadsMax);
  if (threads_.size() >= limit || (waiting < 2 && !threads_.empty())) return;
  try {
    threads_.emplace_back([this] { work_off(); });
  } catch (const std::system_error&) {
    // No thread is to be had: what nobody unpacks now is unpacked later, one layer after the other.
  }
}

void EarlyUnpacker::work_off() {
  std::unique_lock lock(mutex_);
  while (true) {
    more_.wait(lock, [this] { return complete_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const SpooledFile file = std::move(waiting_.front());
    waiting_.pop_front();
    const auto directory = work_ / ("early-" + std::to_string(++count_));
    lock.unlock();
    unpack(file, directory);
    lock.lock();
  }
}

void EarlyUnpacker::unpack(const SpooledFile& file, const std::filesystem::path& directory) {
  try {
    LayerContent content = unpack_blob(file.path, file.digest, directory, stop_.get_token());
    const std::lock_guard lock(mutex_);
    if (done_.emplace(file.digest, EarlyLayer{directory, std::move(content)}).second) return;
  } catch (const std::exception&) {
    // No layer, no room, or no longer wanted.
  }
  remove_tree(directory);
}

std::map<std::string, EarlyLayer> EarlyUnpacker::finish() {
  const std::stop_callback forward(caller_, [this] { stop_.request_stop(); });
  {
    const std::lock_guard lock(mutex_);
    complete_ = true;
    if (threads_.empty()) waiting_.clear();
  }
  more_.notify_all();
  threads_.clear();  // joins
  const std::lock_guard lock(mutex_);
  return std::move(done_);
}

}  // namespace quoll::mgr
