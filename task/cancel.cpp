#include "task/cancel.hpp"

#include <mutex>

#include "task/assert.hpp"
#include "task/clock.hpp"
#include "task/worker.hpp"

namespace quoll::task {

std::string_view to_string(CancelReason reason) {
  switch (reason) {
    case CancelReason::kNone:
      return "none";
    case CancelReason::kClientGone:
      return "client gone";
    case CancelReason::kDeadline:
      return "deadline";
    case CancelReason::kShutdown:
      return "shutdown";
    case CancelReason::kParent:
      return "parent";
    case CancelReason::kOverload:
      return "overload";
    case CancelReason::kUser:
      return "user";
  }
  return "none";
}

Cancellation::Cancellation(CancelReason why, std::source_location where)
    : reason(why), at_ns(coarse_now_ns()), by_task(running_task_id()), place(where) {}

CancelNode::CancelNode(CancelNode* parent, TaskRecord* task) : parent_(parent), task_(task) {
  if (parent_ == nullptr) return;
  const Cancellation* inherited = nullptr;
  {
    std::lock_guard lock(parent_->mutex_);
    next_sibling_ = parent_->first_child_;
    if (next_sibling_ != nullptr) next_sibling_->previous_sibling_ = this;
    parent_->first_child_ = this;
    inherited = parent_->cancellation();
  }
  if (inherited != nullptr) spread(*inherited);
}

CancelNode::~CancelNode() {
  // A child that is left would point to nothing: a scope that outlives its task was not made a root.
  QUOLL_ASSERT(first_child_ == nullptr);
  if (parent_ != nullptr) {
    std::lock_guard lock(parent_->mutex_);
    if (previous_sibling_ != nullptr) {
      previous_sibling_->next_sibling_ = next_sibling_;
    } else {
      parent_->first_child_ = next_sibling_;
    }
    if (next_sibling_ != nullptr) next_sibling_->previous_sibling_ = previous_sibling_;
  }
  // Nobody cancels through the parent any more, so an interrupt can only be queued already.
  if (!cancelled()) return;
  if (task_ != nullptr) task_->worker->forget_interrupt(*this);
  cancellation()->drop();
}

void CancelNode::cancel(CancelReason reason, std::source_location place) {
  if (cancelled()) return;
  const auto* const cancellation = new Cancellation(reason, place);
  spread(*cancellation);
  cancellation->drop();
}

bool CancelNode::ends_in_time() const {
  for (const CancelNode* node = this; node != nullptr; node = node->parent_) {
    if (node->timed_) return true;
  }
  return false;
}

void CancelNode::spread(const Cancellation& cancellation) {
  std::lock_guard lock(mutex_);
  if (cancelled()) return;
  cancellation.hold();
  cancellation_.store(&cancellation, std::memory_order_release);
  for (CancelNode* child = first_child_; child != nullptr; child = child->next_sibling_) child->spread(cancellation);
  if (task_ != nullptr) task_->worker->interrupt(*this);
}

}  // namespace quoll::task
