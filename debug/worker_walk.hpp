// WorkerWalk: one walk's part on one worker. Used by Walk only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "debug/filter.hpp"
#include "debug/task_view.hpp"
#include "debug/walk.hpp"
#include "debug/walk_marks.hpp"
#include "task/channel.hpp"
#include "task/worker.hpp"

namespace quoll::debug {

// What the parts of one walk share. Thread: any.
struct Walk::Shared {
  task::Sender<Chunk> sender;
  std::shared_ptr<const Filter> filter;
  MakeVisitor make_visitor;
  std::uint64_t dumping_task = 0;

  std::mutex mutex;
  std::vector<Chunk> spare;  // guarded by mutex
};

// The table is walked downwards. Where a task ends between two slices, the table's last one takes its place: that one
// was seen before (its mark says so) or lies below the cursor and is still met.
//
// Lifetime: held by its Walk, and by the step that is posted to the worker.
class WorkerWalk : public std::enable_shared_from_this<WorkerWalk> {
 public:
  WorkerWalk(std::shared_ptr<Walk::Shared> shared, task::Worker& worker, std::size_t index)
      : shared_(std::move(shared)), worker_(worker), index_(index) {}

  // For the dumping task.
  void post_step();
  void abandon();  // no chunk comes any more
  // Goes on where it rested because the channel was full.
  void wake_if_resting();
  // For how long it has owed an answer; 0 while it rests.
  std::chrono::nanoseconds silent_for(std::int64_t now_ns) const;
  std::chrono::nanoseconds longest_slice() const { return std::chrono::nanoseconds(longest_slice_ns_.load()); }
  task::Worker& worker() const { return worker_; }
  std::size_t cursor() const { return cursor_.load(std::memory_order_relaxed); }

 private:
  // All below on the worker's thread.
  void step();
  void begin();
  void walk_slice();
  void visit_batch(std::size_t count);
  bool deliver();  // false: rests, and the dumping task posts the next step
  void end();

  const std::shared_ptr<Walk::Shared> shared_;
  task::Worker& worker_;
  const std::size_t index_;

  std::atomic<bool> abandoned_{false};
  std::atomic<bool> resting_{false};
  std::atomic<std::int64_t> progress_ns_{0};
  std::atomic<std::int64_t> longest_slice_ns_{0};
  std::atomic<std::size_t> cursor_{SIZE_MAX};  // the tasks below it are still to be visited

  // The worker's thread only.
  bool arrived_ = false;
  bool begun_ = false;
  bool ended_ = false;
  std::int64_t now_ns_ = 0;
  unsigned walk_ = 0;
  std::shared_ptr<WalkMarks> marks_;
  std::unique_ptr<Visitor> visitor_;
  bool wants_frames_ = true;
  std::optional<FilterMemo> filter_;
  StackReader stack_;
  std::optional<Chunk> chunk_;
};

}  // namespace quoll::debug
