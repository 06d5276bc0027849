#include "debug/leak_facts.hpp"

#include <malloc.h>

#include <algorithm>
#include <coroutine>

#include "debug/task_view.hpp"
#include "task/scope.hpp"
#include "task/task.hpp"

namespace quoll::debug {
namespace {

// A deeper stack is not searched: what lies in it counts as not known.
constexpr std::size_t kFramesSearchedMax = 256;

bool waits_for_tasks(task::TaskState state) {
  switch (state) {
    case task::TaskState::kChanReceive:
    case task::TaskState::kChanSend:
    case task::TaskState::kMutexLock:
    case task::TaskState::kWaitGroupWait:
    case task::TaskState::kSelect:
      return true;
    default:
      return false;
  }
}

// The memory of a task's frames. The compiler may have put a callee's frame into its caller's; so they are looked at
// from the outermost on, and one that lies in a block which is known already is none of its own.
class FrameBlocks {
 public:
  explicit FrameBlocks(const task::TaskRecord& record) {
    const task::Frame* frames[kFramesSearchedMax];
    std::size_t depth = 0;
    for (task::Frame* frame = record.leaf; frame != nullptr; frame = frame->caller) {
      if (depth == kFramesSearchedMax) return;
      frames[depth++] = frame;
    }
    while (depth > 0) {
      auto& frame = const_cast<task::Frame&>(*frames[--depth]);
      char* const begin = static_cast<char*>(task::handle_of(frame).address());
      if (covers(begin)) continue;
      blocks_[count_++] = {begin, begin + ::malloc_usable_size(begin)};
    }
  }
  const FrameBlock* begin() const { return blocks_; }
  const FrameBlock* end() const { return blocks_ + count_; }

 private:
  bool covers(const void* place) const {
    return std::any_of(begin(), end(), [place](const FrameBlock& block) { return block.has(place); });
  }

  FrameBlock blocks_[kFramesSearchedMax];
  std::size_t count_ = 0;
};

}  // namespace

void Located::merge(const Located& other) {
  owner.insert(other.owner.begin(), other.owner.end());
  alive.insert(other.alive.begin(), other.alive.end());
  still_blocked.insert(other.still_blocked.begin(), other.still_blocked.end());
  frames.insert(other.frames.begin(), other.frames.end());
  scopes.insert(other.scopes.begin(), other.scopes.end());
}

void collect_blocked(const TaskView& task, std::chrono::nanoseconds at_least, std::vector<BlockedTask>& into) {
  const task::TaskRecord& record = task.record;
  if (!waits_for_tasks(record.state) || record.wait == nullptr || task.waited() < at_least) return;
  const task::WaitTarget target = record.wait->target();
  if (target.object == nullptr) return;
  BlockedTask& blocked = into.emplace_back();
  blocked.id = record.id;
  blocked.since_ns = record.since_ns;
  blocked.state = record.state;
  blocked.scope = record.scope;
  blocked.object = target.object;
  blocked.any = target.any;
  blocked.timed = record.cancel->ends_in_time();
  blocked.count = target.count;
  blocked.holders.assign(target.holders, target.holders + target.listed);
}

void collect_overdue(const TaskView& task, std::chrono::nanoseconds grace, std::vector<OverdueTask>& into) {
  const task::Labels* const labels = task.record.labels;
  const std::int64_t left_ns = labels != nullptr ? labels->client_left_ns.load(std::memory_order_relaxed) : 0;
  const std::chrono::nanoseconds left_ago(left_ns != 0 ? task.now_ns - left_ns : 0);
  const task::Cancellation* const cancellation = task.record.cancel->cancellation();
  const std::chrono::nanoseconds cancelled_ago(cancellation != nullptr ? task.now_ns - cancellation->at_ns : 0);
  const task::CancelReason reason = cancellation != nullptr ? cancellation->reason : task::CancelReason::kNone;
  if (left_ns != 0 && !labels->runs_to_end && left_ago >= grace) {
    into.push_back({task.record.id, true, left_ago, reason});
  } else if (cancellation != nullptr && cancelled_ago >= grace) {
    into.push_back({task.record.id, false, cancelled_ago, reason});
  }
}

void locate(const TaskView& task, const Wanted& wanted, Located& into) {
  const task::TaskRecord& record = task.record;
  if (wanted.tasks.contains(record.id)) into.alive.insert(record.id);
  if (!record.scope->bystanders()) into.scopes.insert(record.scope);
  const auto blocked = wanted.blocked.find(record.id);
  if (blocked != wanted.blocked.end() && blocked->second == record.since_ns && record.wait != nullptr &&
      task.waiting()) {
    into.still_blocked.insert(record.id);
  }
  const FrameBlocks blocks(record);
  if (blocked != wanted.blocked.end()) into.frames[record.id].assign(blocks.begin(), blocks.end());
  for (const FrameBlock& block : blocks) {
    auto place = std::lower_bound(wanted.places.begin(), wanted.places.end(), static_cast<const void*>(block.begin));
    for (; place != wanted.places.end() && block.has(*place); ++place) into.owner.emplace(*place, record.id);
  }
}

}  // namespace quoll::debug
