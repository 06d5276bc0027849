#include "mgr/registry/blob_turns.hpp"

namespace quoll::mgr {

task::Task<BlobTurns::Turn> BlobTurns::take(std::string digest) {
  std::shared_ptr<task::Mutex> blob;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(blobs_, [](const auto& each) { return each.second.expired(); });
    auto& known = blobs_[digest];
    blob = known.lock();
    if (!blob) known = blob = std::make_shared<task::Mutex>();
  }
  task::Mutex::Guard guard = co_await blob->lock();
  co_return Turn(std::move(blob), std::move(guard));
}

bool BlobTurns::is_taken(const std::string& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = blobs_.find(digest);
  return found != blobs_.end() && !found->second.expired();
}

}  // namespace quoll::mgr
