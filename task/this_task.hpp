// What the running task can say of itself, and the guards that change what is in force for it.
#pragma once

#include <chrono>
#include <cstdint>

#include "task/record.hpp"
#include "task/timer_queue.hpp"

namespace quoll::task {

namespace this_task {

// REQUIRES: called from a task.
TaskRecord& record();
CancelToken cancel_token();
std::uint64_t id();
Worker& worker();

}  // namespace this_task

// Puts a token of its own in force for the rest of the block: below the outer one, or instead of it (a shield).
// Lifetime: a local of a coroutine; blocks nest.
class CancelScope {
 public:
  enum class Kind { kNested, kShield };
  explicit CancelScope(Kind kind = Kind::kNested);
  ~CancelScope();
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;

  CancelNode& node() { return node_; }

 protected:
  TaskRecord& task_;
  CancelNode* const outer_;
  CancelNode node_;
};

// A CancelScope that is cancelled with kDeadline when the time has come.
class DeadlineScope final : public CancelScope, private TimerNode {
 public:
  DeadlineScope(std::chrono::nanoseconds timeout, Kind kind = Kind::kNested);
  ~DeadlineScope();

  // `timeout` from now on, in place of what was left. Nothing where the time had come already.
  // REQUIRES: the task that made it.
  void renew(std::chrono::nanoseconds timeout);

  // True where it was this deadline, rather than an outer token, that cancelled.
  bool expired() const {
    return node_.reason() == CancelReason::kDeadline && (outer_ == nullptr || !outer_->cancelled());
  }

 private:
  void fire() override { node_.cancel(CancelReason::kDeadline); }
};

// Names the work that the running task does in this block, for dumps and logs.
class LabelScope {
 public:
  explicit LabelScope(const Labels* labels) : task_(this_task::record()), outer_(task_.labels) {
    task_.labels = labels;
  }
  ~LabelScope() { task_.labels = outer_; }
  LabelScope(const LabelScope&) = delete;
  LabelScope& operator=(const LabelScope&) = delete;

 private:
  TaskRecord& task_;
  const Labels* const outer_;
};

}  // namespace quoll::task
