#include "mgr/image/early_unpacker.hpp"

#include <algorithm>
#include <system_error>

#include "mgr/image/layer_directory.hpp"
#include "mgr/image/remove_tree.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

EarlyUnpacker::~EarlyUnpacker() {
  stop_.request_stop();
  drop();
  {
    const std::lock_guard lock(mutex_);
    waiting_.clear();
    complete_ = true;
  }
  more_.notify_all();
}

void EarlyUnpacker::grow(const std::filesystem::path& path, std::int64_t written) {
  const bool is_new = growing_ == nullptr;
  if (is_new) growing_ = std::make_shared<GrowingFile>(path);
  growing_->grown_to(written);
  if (is_new && looks_like_layer(path)) start(growing_);
}

void EarlyUnpacker::add(const SpooledFile& file) {
  if (growing_) {
    growing_->complete(file.size, file.digest);
    growing_.reset();
  } else if (looks_like_layer(file.path)) {
    const auto whole = std::make_shared<GrowingFile>(file.path);
    whole->complete(file.size, file.digest);
    start(whole);
  }
}

void EarlyUnpacker::drop() {
  if (growing_) growing_->break_off();
  growing_.reset();
}

void EarlyUnpacker::start(std::shared_ptr<GrowingFile> file) {
  std::size_t waiting = 0;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(file));
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
    const std::shared_ptr<GrowingFile> file = std::move(waiting_.front());
    waiting_.pop_front();
    const auto directory = work_ / ("early-" + std::to_string(++count_));
    lock.unlock();
    unpack(*file, directory);
    lock.lock();
  }
}

void EarlyUnpacker::unpack(GrowingFile& file, const std::filesystem::path& directory) {
  try {
    LayerContent content = unpack_stream(
        compression_of(file.path()), [&file](std::span<char> buffer) { return file.read(buffer); }, directory,
        stop_.get_token());
    const std::string digest = file.digest();
    if (content.diff_id.empty()) content.diff_id = digest;
    const std::lock_guard lock(mutex_);
    if (done_.emplace(digest, EarlyLayer{directory, std::move(content)}).second) return;
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
