#include "debug/walk.hpp"

#include <algorithm>
#include <atomic>

#include "debug/worker_walk.hpp"
#include "task/clock.hpp"
#include "task/error.hpp"
#include "task/this_task.hpp"

namespace quoll::debug {
namespace {

static_assert(Walk::kWalksMax <= WalkMarks::kWalksMax);
std::atomic<std::size_t> walks_under_way{0};

}  // namespace

Walk::Walk(task::Runtime& runtime, std::shared_ptr<const Filter> filter, const MakeVisitor& make_visitor)
    : started_ns_(task::precise_now_ns()), shared_(std::make_shared<Shared>()) {
  if (walks_under_way.fetch_add(1) >= kWalksMax) {
    walks_under_way.fetch_sub(1);
    throw Error(ErrorClass::kUnavailable, "too many dumps at the same time");
  }
  auto [sender, receiver] = task::make_channel<Chunk>(kChannelChunks);
  receiver_ = std::move(receiver);
  shared_->sender = std::move(sender);
  shared_->filter = std::move(filter);
  shared_->make_visitor = make_visitor;
  shared_->dumping_task = task::this_task::id();
  for (const auto& worker : runtime.workers()) {
    workers_.push_back(std::make_shared<WorkerWalk>(shared_, *worker, workers_.size()));
  }
  unfinished_ = workers_.size();
  for (const auto& worker : workers_) worker->post_step();
}

Walk::~Walk() {
  for (const auto& worker : workers_) {
    if (worker) worker->abandon();
  }
  walks_under_way.fetch_sub(1);
}

task::Task<std::optional<Chunk>> Walk::next() {
  while (unfinished_ > 0) {
    task::this_task::cancel_token().throw_if_cancelled();
    std::optional<Chunk> chunk = receiver_.try_receive();
    if (!chunk) {
      const std::chrono::nanoseconds bound = give_up_silent();
      if (unfinished_ == 0) break;
      chunk = co_await receive_within(bound);
    }
    wake_resting();
    if (!chunk || workers_[chunk->worker] == nullptr) continue;
    if (chunk->last) finish(chunk->worker);
    facts_.tasks += chunk->tasks;
    if (chunk->tasks > 0) co_return std::move(chunk);
  }
  facts_.duration = std::chrono::nanoseconds(task::precise_now_ns() - started_ns_);
  co_return std::nullopt;
}

task::Task<std::optional<Chunk>> Walk::receive_within(std::chrono::nanoseconds bound) {
  task::DeadlineScope deadline(bound);
  try {
    co_return co_await receiver_.receive();
  } catch (const task::Cancelled&) {
    if (!deadline.expired()) throw;
  }
  co_return std::nullopt;
}

std::chrono::nanoseconds Walk::give_up_silent() {
  const std::int64_t now_ns = task::precise_now_ns();
  const std::chrono::nanoseconds answer_bound = shared_->filter->options().answer_bound;
  std::chrono::nanoseconds longest_silence{0};
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (!workers_[i]) continue;
    // The dumping task's own worker is not blocked: it runs this.
    if (&workers_[i]->worker() == &task::this_task::worker()) continue;
    const std::chrono::nanoseconds silence = workers_[i]->silent_for(now_ns);
    if (silence < answer_bound) {
      longest_silence = std::max(longest_silence, silence);
      continue;
    }
    const task::Worker& worker = workers_[i]->worker();
    facts_.silent.push_back({worker.name(), worker.running_id(), &worker, workers_[i]->cursor()});
    workers_[i]->abandon();
    finish(i);
  }
  return answer_bound - longest_silence;
}

void Walk::wake_resting() {
  for (const auto& worker : workers_) {
    if (worker) worker->wake_if_resting();
  }
}

void Walk::finish(std::size_t worker) {
  facts_.longest_slice = std::max(facts_.longest_slice, workers_[worker]->longest_slice());
  workers_[worker].reset();
  --unfinished_;
}

void Walk::recycle(Chunk chunk) {
  chunk.text.clear();
  if (chunk.text.capacity() < kChunkBytes / 2) return;
  Chunk spare;
  spare.text = std::move(chunk.text);
  std::lock_guard lock(shared_->mutex);
  if (shared_->spare.size() <= kChannelChunks) shared_->spare.push_back(std::move(spare));
}

}  // namespace quoll::debug
