// BlobTurns: whoever fetches a blob does so alone, so that pulls of different images download what they share once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "task/mutex.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// Who gets the turn looks first whether the one before has brought the blob.
//
// Lifetime: outlives its turns. Thread: any.
class BlobTurns {
 public:
  class [[nodiscard]] Turn {
   public:
    Turn(std::shared_ptr<task::Mutex> mutex, task::Mutex::Guard guard)
        : mutex_(std::move(mutex)), guard_(std::move(guard)) {}

   private:
    std::shared_ptr<task::Mutex> mutex_;
    task::Mutex::Guard guard_;  // goes first
  };

  // Cancel: leaves the queue.
  task::Task<Turn> take(std::string digest);
  // Whether somebody has it at this moment.
  bool is_taken(const std::string& digest);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<task::Mutex>> blobs_;  // guarded by mutex_; by digest
};

}  // namespace quoll::mgr
