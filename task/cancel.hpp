// Cancellation: a tree of nodes beside the tree of tasks. Cancelling a node cancels everything below it; a task
// that is suspended below it is woken on its own worker and its await throws Cancelled.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "task/small_mutex.hpp"

namespace quoll::task {

struct TaskRecord;
class Worker;

enum class CancelReason : std::uint8_t { kNone, kClientGone, kDeadline, kShutdown, kParent, kOverload, kUser };

std::string_view to_string(CancelReason reason);

// What unwinds a cancelled task. Not an Error and not a std::exception, so that no catch of those swallows it;
// it is caught at the task's boundary only.
class Cancelled final {
 public:
  explicit Cancelled(CancelReason reason) : reason_(reason) {}
  CancelReason reason() const { return reason_; }

 private:
  CancelReason reason_;
};

// One node of the tree. Owned by a task record, a scope, or a coroutine's frame (with_deadline, an HTTP request).
//
// Lifetime: children end before their parent (tasks are joined), so the links need no reference counts.
// Thread:   cancel() and cancelled() from any thread; construction, destruction and the rest on the thread of `task`.
class CancelNode {
 public:
  // `task` is the task to wake when this node is cancelled, or null where nobody waits under the node itself.
  CancelNode(CancelNode* parent, TaskRecord* task);
  ~CancelNode();
  CancelNode(const CancelNode&) = delete;
  CancelNode& operator=(const CancelNode&) = delete;

  // The first call wins; later ones change nothing.
  void cancel(CancelReason reason);

  bool cancelled() const { return reason_.load(std::memory_order_acquire) != CancelReason::kNone; }
  CancelReason reason() const { return reason_.load(std::memory_order_acquire); }
  // When cancel() was called, in ns of the monotonic clock; 0 while not cancelled.
  std::int64_t cancelled_at_ns() const { return cancelled_at_ns_.load(std::memory_order_acquire); }
  TaskRecord* task() const { return task_; }

 private:
  friend class Worker;

  CancelNode* const parent_;
  TaskRecord* const task_;
  std::atomic<CancelReason> reason_{CancelReason::kNone};
  bool interrupt_queued_ = false;  // guarded by the worker's queue mutex
  SmallMutex mutex_;               // guards the child list; taken parent before child
  std::atomic<std::int64_t> cancelled_at_ns_{0};
  CancelNode* first_child_ = nullptr;
  CancelNode* previous_sibling_ = nullptr;  // guarded by the parent's mutex
  CancelNode* next_sibling_ = nullptr;      // guarded by the parent's mutex
  CancelNode* next_interrupt_ = nullptr;    // guarded by the worker's queue mutex
};

// A view of the token that is in force for the calling task. Valid while that task runs.
class CancelToken {
 public:
  explicit CancelToken(const CancelNode* node) : node_(node) {}
  bool cancelled() const { return node_ != nullptr && node_->cancelled(); }
  CancelReason reason() const { return node_ ? node_->reason() : CancelReason::kNone; }
  std::int64_t cancelled_at_ns() const { return node_ ? node_->cancelled_at_ns() : 0; }
  void throw_if_cancelled() const {
    if (cancelled()) throw Cancelled(reason());
  }

 private:
  const CancelNode* node_;
};

}  // namespace quoll::task
