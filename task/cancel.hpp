// Cancellation: a tree of nodes beside the tree of tasks. Cancelling a node cancels everything below it; a task
// that is suspended below it is woken on its own worker and its await throws Cancelled.
#pragma once

#include <atomic>
#include <cstdint>
#include <source_location>
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

// Why, when and by whom something was cancelled: one for each call of cancel(), shared by all nodes that it reached.
// Thread: any; immutable but for the count of its users.
class Cancellation {
 public:
  const CancelReason reason;
  const std::int64_t at_ns;          // monotonic
  const std::uint64_t by_task;       // the task that called; 0: none did
  const std::source_location place;  // of the call

 private:
  friend class CancelNode;
  Cancellation(CancelReason why, std::source_location where);
  void hold() const { users_.fetch_add(1, std::memory_order_relaxed); }
  void drop() const {
    if (users_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  mutable std::atomic<std::uint32_t> users_{1};
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
  void cancel(CancelReason reason, std::source_location place = std::source_location::current());

  bool cancelled() const { return cancellation_.load(std::memory_order_acquire) != nullptr; }
  // Null while not cancelled; valid as long as the node is.
  const Cancellation* cancellation() const { return cancellation_.load(std::memory_order_acquire); }
  CancelReason reason() const { return cancelled() ? cancellation()->reason : CancelReason::kNone; }
  // When cancel() was called, in ns of the monotonic clock; 0 while not cancelled.
  std::int64_t cancelled_at_ns() const { return cancelled() ? cancellation()->at_ns : 0; }
  TaskRecord* task() const { return task_; }
  // A timer will cancel the node; set before anybody else sees it.
  void set_timed() { timed_ = true; }
  // True where a timer will cancel this node or one above it: a wait under it ends by itself.
  bool ends_in_time() const;

 private:
  friend class Worker;

  void spread(const Cancellation& cancellation);

  CancelNode* const parent_;
  TaskRecord* const task_;
  std::atomic<const Cancellation*> cancellation_{nullptr};
  bool interrupt_queued_ = false;  // guarded by the worker's queue mutex
  bool timed_ = false;
  SmallMutex mutex_;  // guards the child list; taken parent before child
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
