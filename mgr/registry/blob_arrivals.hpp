// BlobArrivals: a blob that comes from several registries is waited for from the fastest only.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "task/task.hpp"

namespace quoll::mgr {

// Lifetime: outlives its fetches. Thread: any.
class BlobArrivals {
 public:
  // Runs `fetch`, whose normal end means that the store has the blob, verified. As soon as another fetch of that blob
  // has come to such an end, this one is cut short, as by a cancel, and has ended when false is returned.
  // REQUIRES: where the store has the blob at the start of `fetch`, that finds it there; and the caller has pinned it.
  //
  // Errors: what `fetch` throws, unless it was cut short: then the blob is here, whatever it says.
  task::Task<bool> bring(std::string digest, task::Task<void> fetch);

 private:
  class Fetch;

  void end_others(const std::string& digest, const Fetch& winner);

  std::mutex mutex_;
  std::multimap<std::string, Fetch*> fetches_;  // guarded by mutex_; by digest
};

}  // namespace quoll::mgr
