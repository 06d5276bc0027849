// WalkMarks: which of the walks that are under way on one worker have seen which task.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "task/record.hpp"
#include "task/worker.hpp"

namespace quoll::debug {

// A record has room for one number, its walk_epoch, and several walks may go over it at the same time (a slow reader's
// dump lasts). So an epoch stands for a set of walks that have seen the task; one that no walk under way knows stands
// for the empty set.
//
// Thread: the worker's. One for each worker that is being walked: see of().
class WalkMarks {
 public:
  // The marks of a worker, shared by the walks on it. Any thread.
  static std::shared_ptr<WalkMarks> of(task::Worker& worker);

  explicit WalkMarks(task::Worker& worker) : worker_(worker) {}

  // A walk's number until end(). REQUIRES: fewer than kWalksMax are under way.
  unsigned begin() {
    const auto walk = static_cast<unsigned>(std::countr_one(walks_));
    walks_ |= bit(walk);
    return walk;
  }
  void end(unsigned walk) {
    walks_ &= ~bit(walk);
    for (Mark& mark : marks_) mark.seen_by &= ~bit(walk);
    std::erase_if(marks_, [](const Mark& mark) { return mark.seen_by == 0; });
  }
  // True the first time that this walk asks for this task.
  bool first_visit(task::TaskRecord& task, unsigned walk) {
    std::uint64_t seen_by = bit(walk);
    for (const Mark& mark : marks_) {
      if (mark.epoch != task.walk_epoch) continue;
      if ((mark.seen_by & bit(walk)) != 0) return false;
      seen_by |= mark.seen_by;
      break;
    }
    task.walk_epoch = epoch_of(seen_by);
    return true;
  }

  static constexpr std::size_t kWalksMax = 64;

 private:
  struct Mark {
    std::uint32_t epoch;
    std::uint64_t seen_by;  // a bit for each walk
  };

  static std::uint64_t bit(unsigned walk) { return std::uint64_t{1} << walk; }
  std::uint32_t epoch_of(std::uint64_t seen_by) {
    for (const Mark& mark : marks_) {
      if (mark.seen_by == seen_by) return mark.epoch;
    }
    marks_.push_back({worker_.next_walk_epoch(), seen_by});
    return marks_.back().epoch;
  }

  task::Worker& worker_;
  std::uint64_t walks_ = 0;
  std::vector<Mark> marks_;
};

}  // namespace quoll::debug
