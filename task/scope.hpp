// Scope: the owner of a group of tasks. Every task is spawned in one, and a scope is joined before it ends: there are
// no detached tasks.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <source_location>
#include <string_view>
#include <vector>

#include "task/cancel.hpp"
#include "task/record.hpp"
#include "task/task.hpp"

namespace quoll::task {

class JoinWait;

// Lifetime: its destructor asserts that no child is left: join() first. Make it the last member of an object.
// Thread:   spawn, spawn_on, cancel and size from any thread; join from one task at a time.
// Cancel:   a scope made inside a task lies below that task's token and must end before it does. One made outside of
//           tasks, or as Kind::kRoot, is ended by its own cancel() only: for objects that outlive the task which makes
//           them (a manager's, made by a request).
// Errors:   a child's exception goes to the failure handler where there is one; else the first is kept and join()
//           throws it. Cancelled is no failure. The handler must not throw.
class Scope {
 public:
  using FailureHandler = std::function<void(std::uint64_t task_id, std::string_view name, std::exception_ptr)>;

  enum class Kind { kBelowTask, kRoot };

  // `name` is of static storage.
  explicit Scope(std::string_view name, FailureHandler on_failure = {})
      : Scope(name, Kind::kBelowTask, std::move(on_failure)) {}
  Scope(std::string_view name, Kind kind, FailureHandler on_failure = {});
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  // Starts `work` as a task of its own on the calling worker, or on `worker`. `name` is of static storage; `work`'s
  // arguments are values or outlive the scope.
  void spawn(std::string_view name, Task<void> work, std::source_location at = std::source_location::current());
  void spawn_on(Worker& worker, std::string_view name, Task<void> work,
                std::source_location at = std::source_location::current());

  void cancel(CancelReason reason, std::source_location at = std::source_location::current()) {
    node_.cancel(reason, at);
  }
  bool cancelled() const { return node_.cancelled(); }
  std::size_t size() const;
  // Says that the tasks of this scope use nothing of what the scope's owner holds, but to cancel it: in the search for
  // leaks they do not count as somebody who might still send on its channels. Before the first spawn.
  void set_bystanders() { bystanders_ = true; }
  bool bystanders() const { return bystanders_; }
  std::string_view name() const { return name_; }

  // Waits for all children, also under a cancelled token (which reaches the children by itself). `state` is what the
  // task is shown as meanwhile.
  JoinWait join(TaskState state = TaskState::kWaitGroupWait);

 private:
  friend class JoinWait;
  friend void finish_task(TaskRecord& task, std::exception_ptr failure);

  // Deletes the record.
  void child_ended(TaskRecord& task, std::exception_ptr failure);
  void link(TaskRecord& task);
  void unlink(TaskRecord& task);

  const std::string_view name_;
  const FailureHandler on_failure_;
  const Labels* const labels_;
  CancelNode node_;
  bool bystanders_ = false;  // constant after the first spawn
  mutable std::mutex mutex_;
  std::size_t children_ = 0;           // guarded by mutex_
  TaskRecord* first_child_ = nullptr;  // guarded by mutex_
  JoinWait* joiner_ = nullptr;         // guarded by mutex_
  std::exception_ptr first_failure_;   // guarded by mutex_
};

class JoinWait final : public Wait {
 public:
  JoinWait(Scope& scope, TaskState state) : Wait(state), scope_(scope), any_(state == TaskState::kSelect) {}
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> self);
  void await_resume();
  void cancel() override {}
  WaitTarget target() const override;

 private:
  friend class Scope;
  Scope& scope_;
  const bool any_;
};

inline JoinWait Scope::join(TaskState state) { return JoinWait(*this, state); }

// Runs body(scope), where `body` is kept until the end, and joins the scope however body ends; if it throws, the
// children are cancelled first.
template <typename F>
Task<void> with_scope(std::string_view name, F body) {
  Scope scope(name);
  std::exception_ptr failure;
  try {
    co_await body(scope);
  } catch (...) {
    failure = std::current_exception();
    scope.cancel(CancelReason::kParent);
  }
  try {
    co_await scope.join();
  } catch (...) {
    if (!failure) throw;
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace quoll::task
