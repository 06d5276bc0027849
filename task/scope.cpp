#include "task/scope.hpp"

#include <typeinfo>

#include "task/assert.hpp"
#include "task/runtime.hpp"
#include "task/worker.hpp"

namespace quoll::task {
namespace {

CancelNode* node_in_force() {
  TaskRecord* const task = Worker::current_task();
  return task != nullptr ? task->cancel : nullptr;
}

const Labels* labels_in_force() {
  TaskRecord* const task = Worker::current_task();
  return task != nullptr ? task->labels : nullptr;
}

LineageRef lineage_of_current() {
  TaskRecord* const task = Worker::current_task();
  if (task == nullptr) return {};
  if (!task->own) task->own = LineageRef(new Lineage(task->id, task->name, task->parent));
  return task->own;
}

// By the type alone (an extension of libstdc++): throwing it again would cost as much as one more frame's unwinding.
bool is_cancelled(const std::exception_ptr& failure) { return *failure.__cxa_exception_type() == typeid(Cancelled); }

}  // namespace

Scope::Scope(std::string_view name, Kind kind, FailureHandler on_failure)
    : name_(name),
      on_failure_(std::move(on_failure)),
      labels_(kind == Kind::kRoot ? nullptr : labels_in_force()),
      node_(kind == Kind::kRoot ? nullptr : node_in_force(), nullptr) {}

Scope::~Scope() {
  for (const TaskRecord* child = first_child_; child != nullptr; child = child->next_sibling) print_task(*child);
  QUOLL_ASSERT(size() == 0);
}

std::size_t Scope::size() const {
  std::lock_guard lock(mutex_);
  return children_;
}

void Scope::spawn(std::string_view name, Task<void> work, std::source_location at) {
  Worker* const worker = Worker::current();
  QUOLL_ASSERT(worker != nullptr);
  spawn_on(*worker, name, std::move(work), at);
}

void Scope::spawn_on(Worker& worker, std::string_view name, Task<void> work, std::source_location at) {
  LineageRef parent = lineage_of_current();
  auto* const task = new TaskRecord(next_task_id(), worker, this, &node_);
  const auto root = work.release();
  Frame& frame = root.promise();
  frame.task = task;
  task->name = name;
  task->root = root;
  task->resume_point = root;
  task->leaf = &frame;
  task->created_at = at;
  task->parent = std::move(parent);
  task->labels = labels_;
  task->started_ns = task->since_ns = coarse_now_ns();
  {
    std::lock_guard lock(mutex_);
    link(*task);
  }
  worker.adopt(*task);
}

void Scope::link(TaskRecord& task) {
  ++children_;
  task.next_sibling = first_child_;
  if (first_child_ != nullptr) first_child_->previous_sibling = &task;
  first_child_ = &task;
}

void Scope::unlink(TaskRecord& task) {
  (task.previous_sibling != nullptr ? task.previous_sibling->next_sibling : first_child_) = task.next_sibling;
  if (task.next_sibling != nullptr) task.next_sibling->previous_sibling = task.previous_sibling;
}

void Scope::child_ended(TaskRecord& task, std::exception_ptr failure) {
  if (failure && is_cancelled(failure)) failure = nullptr;
  if (failure && on_failure_) {
    on_failure_(task.id, task.name, failure);
    failure = nullptr;
  }
  std::lock_guard lock(mutex_);
  if (failure && !first_failure_) first_failure_ = std::move(failure);
  unlink(task);
  delete &task;  // its token's node ends before the scope's, which a joiner may destroy next
  if (--children_ == 0 && joiner_ != nullptr) std::exchange(joiner_, nullptr)->wake();
}

WaitTarget JoinWait::target() const {
  WaitTarget target;
  target.object = &scope_;
  target.any = any_;
  std::lock_guard lock(scope_.mutex_);
  for (const TaskRecord* child = scope_.first_child_; child != nullptr && target.listed < WaitTarget::kHoldersMax;
       child = child->next_sibling) {
    target.add({child->id});
  }
  target.count = static_cast<std::uint32_t>(scope_.children_);
  return target;
}

bool JoinWait::await_suspend(std::coroutine_handle<> self) {
  std::lock_guard lock(scope_.mutex_);
  if (scope_.children_ == 0) return false;
  QUOLL_ASSERT(scope_.joiner_ == nullptr);
  suspend(self);
  scope_.joiner_ = this;
  return true;
}

void JoinWait::await_resume() {
  std::exception_ptr failure;
  {
    // Taking the lock also waits for the last child's child_ended() to have left the scope.
    std::lock_guard lock(scope_.mutex_);
    failure = std::exchange(scope_.first_failure_, nullptr);
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace quoll::task
