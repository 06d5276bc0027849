// LayerTurns: who works on a layer does so alone, so that pulls of different images do once what they share.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "task/mutex.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// Layers lie in places, each registry in its own: nobody waits for another place's turns, however slow it is. In one
// place a layer is one task's at a time, and no more than `at_once` layers are somebody's. Who gets a turn looks first
// whether the one before has done the work.
//
// Lifetime: outlives its turns. Thread: any.
class LayerTurns {
  struct Place;

 public:
  class [[nodiscard]] Turn {
   public:
    Turn(Turn&&) noexcept = default;

   private:
    friend class LayerTurns;
    Turn() = default;
    std::shared_ptr<Place> place_;
    std::shared_ptr<task::Mutex> layer_;
    task::Mutex::Guard guard_;          // goes before them
    task::Semaphore::Permit permit_{};  // the same
  };

  explicit LayerTurns(std::size_t at_once) : at_once_(at_once) {}

  // Cancel: leaves the queue.
  task::Task<Turn> take(std::string place, std::string layer);
  // Whether somebody has it, or waits for it, at this moment.
  bool is_taken(const std::string& place, const std::string& layer);

 private:
  const std::size_t at_once_;
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Place>> places_;  // guarded by mutex_
};

}  // namespace quoll::mgr
