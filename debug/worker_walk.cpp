#include "debug/worker_walk.hpp"

#include <algorithm>
#include <unordered_map>

#include "task/clock.hpp"

namespace quoll::debug {
namespace {

// Records that are fetched into the cache together: their misses overlap instead of following each other.
constexpr std::size_t kBatch = 16;
constexpr int kPrefetchedFrames = 4;
constexpr std::size_t kCacheLine = 64;

void prefetch(const void* address) { __builtin_prefetch(address); }

void prefetch_batch(task::TaskRecord* const* tasks, std::size_t count) {
  std::array<const task::Frame*, kBatch> frames;
  for (std::size_t i = 0; i < count; ++i) {
    const char* const record = reinterpret_cast<const char*>(tasks[i]);
    for (std::size_t offset = 0; offset < sizeof(task::TaskRecord); offset += kCacheLine) prefetch(record + offset);
  }
  for (std::size_t i = 0; i < count; ++i) {
    frames[i] = tasks[i]->leaf;
    prefetch(frames[i]);
    prefetch(tasks[i]->wait);
  }
  for (int depth = 1; depth < kPrefetchedFrames; ++depth) {
    for (std::size_t i = 0; i < count; ++i) {
      if (frames[i] == nullptr) continue;
      frames[i] = frames[i]->caller;
      prefetch(frames[i]);
    }
  }
}

}  // namespace

std::shared_ptr<WalkMarks> WalkMarks::of(task::Worker& worker) {
  static std::mutex mutex;
  static auto& marks_of_workers = *new std::unordered_map<task::Worker*, std::weak_ptr<WalkMarks>>;
  std::lock_guard lock(mutex);
  std::erase_if(marks_of_workers, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<WalkMarks>& entry = marks_of_workers[&worker];
  std::shared_ptr<WalkMarks> marks = entry.lock();
  if (!marks) {
    marks = std::make_shared<WalkMarks>(worker);
    entry = marks;
  }
  return marks;
}

void WorkerWalk::post_step() {
  progress_ns_ = task::precise_now_ns();
  worker_.post([self = shared_from_this()] { self->step(); });
}

void WorkerWalk::abandon() {
  abandoned_ = true;
  wake_if_resting();  // it would never come to its end by itself; elsewise a step is on its way
}

void WorkerWalk::wake_if_resting() {
  if (resting_.exchange(false)) post_step();
}

std::chrono::nanoseconds WorkerWalk::silent_for(std::int64_t now_ns) const {
  if (resting_) return std::chrono::nanoseconds(0);
  return std::chrono::nanoseconds(std::max<std::int64_t>(0, now_ns - progress_ns_));
}

void WorkerWalk::step() {
  if (ended_) return;
  if (abandoned_) return end();
  progress_ns_ = task::precise_now_ns();
  // Tasks that other threads have spawned here are entered into the table by a handler that may be queued behind this
  // one (Asio queues what a worker posts to itself later than what others post meanwhile). One more turn lets it go
  // first.
  if (!std::exchange(arrived_, true)) return post_step();
  if (!begun_) begin();
  if (!chunk_) walk_slice();
  if (chunk_->tasks > 0 || chunk_->last) {
    const bool last = chunk_->last;
    if (!deliver()) return;
    if (last) return end();
  } else {
    chunk_.reset();
  }
  post_step();
}

void WorkerWalk::begin() {
  begun_ = true;
  cursor_ = worker_.tasks().size();
  marks_ = WalkMarks::of(worker_);
  walk_ = marks_->begin();
  visitor_ = shared_->make_visitor();
  filter_.emplace(shared_->filter);
  wants_frames_ = visitor_->wants_frames() || shared_->filter->has_pattern();
}

void WorkerWalk::end() {
  ended_ = true;
  if (marks_) marks_->end(walk_);
  marks_.reset();
  visitor_.reset();
  filter_.reset();
  chunk_.reset();
}

void WorkerWalk::walk_slice() {
  const std::int64_t started_ns = task::precise_now_ns();
  const std::int64_t end_ns = started_ns + std::chrono::nanoseconds(Walk::kSlice).count();
  now_ns_ = task::coarse_now_ns();
  chunk_.emplace();
  {
    std::lock_guard lock(shared_->mutex);
    if (!shared_->spare.empty()) {
      chunk_ = std::move(shared_->spare.back());
      shared_->spare.pop_back();
    }
  }
  chunk_->worker = index_;
  cursor_ = std::min(cursor(), worker_.tasks().size());
  std::int64_t now_ns = started_ns;
  while (cursor_ > 0 && now_ns < end_ns && !visitor_->full(*chunk_)) {
    visit_batch(std::min(cursor(), shared_->filter->slow() ? 1 : kBatch));
    now_ns = task::precise_now_ns();
  }
  chunk_->last = cursor_ == 0;
  longest_slice_ns_ = std::max<std::int64_t>(longest_slice_ns_, now_ns - started_ns);
}

void WorkerWalk::visit_batch(std::size_t count) {
  task::TaskRecord* const* const tasks = worker_.tasks().data() + (cursor_ - count);
  prefetch_batch(tasks, count);
  for (std::size_t i = count; i-- > 0;) {
    task::TaskRecord& record = *tasks[i];
    if (record.id == shared_->dumping_task || !marks_->first_visit(record, walk_)) continue;
    const TaskView view{record, wants_frames_ ? stack_.read(record) : std::span<const Place* const>(), now_ns_};
    if (!filter_->shows(view)) continue;
    visitor_->visit(view, *chunk_);
    ++chunk_->tasks;
  }
  cursor_ -= count;
}

bool WorkerWalk::deliver() {
  if (shared_->sender.try_send(*chunk_)) {
    chunk_.reset();
    return true;
  }
  // From here on the dumping task posts the next step, unless there has come room in between: then it may have looked
  // before `resting_` was set, and would not.
  resting_ = true;
  if (shared_->sender.try_send(*chunk_)) {
    chunk_.reset();
  } else if (!abandoned_) {
    return false;
  }
  return resting_.exchange(false);
}

}  // namespace quoll::debug
