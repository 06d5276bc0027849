#include "mgr/registry/blob_arrivals.hpp"

#include <atomic>

#include "task/this_task.hpp"

namespace quoll::mgr {

class BlobArrivals::Fetch : public task::CancelScope {
 public:
  Fetch(BlobArrivals& all, const std::string& digest) : all_(all) {
    const std::lock_guard lock(all_.mutex_);
    place_ = all_.fetches_.emplace(digest, this);
  }
  ~Fetch() {
    const std::lock_guard lock(all_.mutex_);
    all_.fetches_.erase(place_);
  }
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

  // From any thread. REQUIRES: the mutex of `all`, under which the destructor waits.
  void cut_short() {
    cut_short_ = true;
    node().cancel(task::CancelReason::kParent);
  }
  bool was_cut_short() const { return cut_short_; }

 private:
  BlobArrivals& all_;
  std::multimap<std::string, Fetch*>::iterator place_;
  std::atomic<bool> cut_short_ = false;
};

task::Task<bool> BlobArrivals::bring(std::string digest, task::Task<void> fetch) {
  Fetch scope(*this, digest);
  try {
    co_await std::move(fetch);
  } catch (...) {
    if (!scope.was_cut_short()) throw;
    co_return false;
  }
  end_others(digest, scope);
  co_return true;
}

void BlobArrivals::end_others(const std::string& digest, const Fetch& winner) {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = fetches_.equal_range(digest);
  for (auto each = begin; each != end; ++each) {
    if (each->second != &winner) each->second->cut_short();
  }
}

}  // namespace quoll::mgr
