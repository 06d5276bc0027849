// Walk: goes over every live task of all workers without stopping anybody.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "debug/filter.hpp"
#include "debug/leak_facts.hpp"
#include "debug/samples.hpp"
#include "debug/summary.hpp"
#include "debug/task_view.hpp"
#include "task/channel.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

class WorkerWalk;  // in worker_walk.hpp

// What a slice of a walk has collected; visitors fill in what they are about.
struct Chunk {
  std::string text;
  StackCounts counts;
  std::vector<TaskSummary> summaries;
  std::vector<BlockedTask> blocked;
  std::vector<OverdueTask> overdue;
  Located located;

  std::size_t tasks = 0;   // shown in it
  std::size_t worker = 0;  // whose, by place in Runtime::workers()
  bool last = false;       // of that worker
};

// Turns tasks into what a dump sends. One for each worker, used on that worker's thread only.
class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void visit(const TaskView& task, Chunk& into) = 0;
  // True where the chunk is large enough to be sent.
  virtual bool full(const Chunk& chunk) const = 0;
  // False where TaskView::frames may be empty: what is not looked at is not read.
  virtual bool wants_frames() const { return true; }
};
using MakeVisitor = std::function<std::unique_ptr<Visitor>()>;

// A worker that did not answer: it is blocked in a call, or busy in one stretch.
struct SilentWorker {
  std::string name;
  std::uint64_t running_id = 0;  // the task that it ran when it was given up, 0 if none
  const task::Worker* worker = nullptr;
  std::size_t cursor = 0;  // the tasks below it in its table were not visited
  bool listed = false;     // those have been listed from outside
};

// What a dump says of itself.
struct WalkFacts {
  std::size_t tasks = 0;  // shown
  std::chrono::nanoseconds duration{0};
  std::chrono::nanoseconds longest_slice{0};  // the longest time that the walk kept any worker at once
  std::vector<SilentWorker> silent;

  // Whether all tasks have been looked at.
  bool complete() const {
    return std::all_of(silent.begin(), silent.end(), [](const SilentWorker& worker) { return worker.listed; });
  }
};

// A worker walks its own table on its own thread, in slices between which its other work goes on. A slice's chunk goes
// through a bounded channel; while that is full the worker's walk rests and the worker does not. A task that lives
// through the whole walk is seen exactly once; one that starts or ends meanwhile is seen at most once.
//
// The calling task itself is not visited.
//
// Lifetime: a local of the dumping task; the runtime outlives it. Its destructor ends the walk on all workers.
// Thread:   the dumping task.
// Cancel:   next() throws Cancelled.
// Errors:   the constructor throws Error{kUnavailable} where kWalksMax others are under way.
// Limits:   kChannelChunks chunks of about kChunkBytes, and one for each worker.
class Walk {
 public:
  static constexpr std::size_t kWalksMax = 16;
  static constexpr std::size_t kChannelChunks = 4;
  static constexpr std::size_t kChunkBytes = 128 * 1024;
  static constexpr std::size_t kChunkSummaries = 256;
  static constexpr std::chrono::microseconds kSlice{150};  // and one batch of tasks more

  // REQUIRES: called from a task.
  Walk(task::Runtime& runtime, std::shared_ptr<const Filter> filter, const MakeVisitor& make_visitor);
  ~Walk();
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  // Nothing once all workers are through or given up.
  task::Task<std::optional<Chunk>> next();
  // Gives a chunk's memory back for the next one.
  void recycle(Chunk chunk);
  // Complete once next() has given nothing.
  const WalkFacts& facts() const { return facts_; }

 private:
  friend class WorkerWalk;
  struct Shared;

  task::Task<std::optional<Chunk>> receive_within(std::chrono::nanoseconds bound);
  // Gives up the workers that have been silent too long. Returns how long the others may still take.
  std::chrono::nanoseconds give_up_silent();
  void wake_resting();
  void finish(std::size_t worker);

  const std::int64_t started_ns_;
  task::Receiver<Chunk> receiver_;
  std::shared_ptr<Shared> shared_;
  std::vector<std::shared_ptr<WorkerWalk>> workers_;  // null: through
  std::size_t unfinished_ = 0;
  WalkFacts facts_;
};

}  // namespace quoll::debug
