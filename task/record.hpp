// The record of one live task: what a dump prints of it, and what the runtime needs to resume it.
#pragma once

#include <coroutine>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

#include "task/cancel.hpp"

namespace quoll::task {

// False only in a build that measures what tracking costs: tasks run and are cancelled as ever, but nothing can tell
// where they are.
#ifdef QUOLL_TASK_UNTRACKED
inline constexpr bool kTracked = false;
#else
inline constexpr bool kTracked = true;
#endif

class Scope;
class Wait;
class Worker;
struct TaskRecord;

// Go's words, so that Go's readers and people's habits work. docs/DEBUG.md says what each stands for.
enum class TaskState : std::uint8_t {
  kIdle,  // spawned, not yet started
  kRunnable,
  kRunning,
  kIoWait,
  kSleep,
  kChanReceive,
  kChanSend,
  kSelect,
  kSelectNoCases,
  kMutexLock,
  kSemAcquire,
  kCondWait,
  kWaitGroupWait,
  kSyscall,  // on the blocking pool
};

std::string_view to_string(TaskState state);

// The head of every coroutine's promise: a link to the frame that awaits it, and the place of the await that it is
// suspended in (before its first await: the place of its definition).
// Thread: the task's worker only.
struct Frame {
  Frame* caller = nullptr;  // null in a task's root frame
  TaskRecord* task = nullptr;
  std::source_location at;
};

// What a task works for. Owned by the HTTP session; set for the time of one request and inherited by the tasks of
// scopes that are made during it.
struct Labels {
  std::uint64_t request_id = 0;
  std::string_view method;
  std::string_view path;   // without the query
  std::string_view route;  // the pattern that matched
  std::string_view client;
  std::string container;
};

// Thread: the task's worker only, but for id and worker, which never change.
struct TaskRecord {
  TaskRecord(std::uint64_t task_id, Worker& home, Scope* owner, CancelNode* parent)
      : id(task_id), worker(&home), scope(owner), root_cancel(parent, this), cancel(&root_cancel) {}

  const std::uint64_t id;
  Worker* const worker;
  Scope* const scope;
  std::string_view name;  // of static storage
  std::uint64_t creator_id = 0;
  std::source_location created_at;
  std::int64_t started_ns = 0;

  TaskState state = TaskState::kIdle;
  bool queued = false;            // in its worker's ready queue
  std::uint32_t slot = 0;         // its place in the worker's table
  std::uint32_t walk_epoch = 0;   // the last walk that has seen it
  std::int64_t since_ns = 0;      // when it suspended: coarse monotonic, as of the start of the worker's turn
  Frame* leaf = nullptr;          // the innermost frame; null once it has ended
  Frame* inline_frame = nullptr;  // see start_inline()
  Wait* wait = nullptr;           // what it is suspended in
  std::coroutine_handle<> resume_point;
  std::coroutine_handle<> root;
  const Labels* labels = nullptr;
  TaskRecord* next_ready = nullptr;
  // From its construction on, a cancel may have the worker look at the task, so it comes after what that looks at.
  CancelNode root_cancel;
  CancelNode* cancel;  // the innermost node in force
};

// What a suspended task waits for, for dumps.
struct WaitTarget {
  const void* object = nullptr;
  std::uint64_t holder_id = 0;  // the task that holds or serves it; 0: nobody that is known
};

// The base of every leaf await: what makes a task suspend rather than call.
//
// An await point first asks whether the task's token is cancelled and throws then, without suspending. While
// suspended, it can be woken once, by its event or by cancel().
// Thread: all but wake() on the task's worker.
class Wait {
 public:
  explicit Wait(TaskState state) : state_(state) {}
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  virtual ~Wait() = default;

  // Called when the task's token is cancelled while it is suspended here. Must lead to one wake(), unless the event
  // itself is already on its way.
  virtual void cancel() = 0;
  virtual WaitTarget target() const { return {}; }

  void bind(TaskRecord& task) { task_ = &task; }

 protected:
  bool token_cancelled() const { return task_->cancel->cancelled(); }
  [[noreturn]] void throw_cancelled() const { throw Cancelled(task_->cancel->reason()); }
  void throw_if_cancelled() const {
    if (token_cancelled()) throw_cancelled();
  }
  // Marks the task as suspended here. Call it before the wait becomes visible to whoever wakes it.
  void suspend(std::coroutine_handle<> resume_point);
  // Takes suspend() back, where await_suspend() does not suspend after all.
  void unsuspend();
  // Queues the task on its worker. Any thread; the Wait may be gone when it returns.
  void wake();

  TaskRecord* task_ = nullptr;

 private:
  const TaskState state_;
};

}  // namespace quoll::task
