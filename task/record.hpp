// The record of one live task: what a dump prints of it, and what the runtime needs to resume it.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>

#include "task/cancel.hpp"
#include "task/lineage.hpp"

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
// Thread: the request's worker, but for what is said to be readable from any.
struct Labels {
  // Fixed before the first handler runs; readable from any thread from then on.
  std::uint64_t request_id = 0;
  std::int64_t started_ns = 0;  // coarse monotonic
  std::string_view method;
  std::string_view path;   // without the query
  std::string_view route;  // the pattern that matched
  std::string_view client;
  bool runs_to_end = false;  // the client's leaving does not cancel it
  // When the client left, coarse monotonic; 0 while it is there. Any thread.
  std::atomic<std::int64_t> client_left_ns{0};

  // Names the container that the request is about; only the first call counts.
  void set_container(std::string_view name, std::string_view id) {
    if (container_known_.load(std::memory_order_relaxed)) return;
    container_name_ = name;
    container_id_ = id;
    container_known_.store(true, std::memory_order_release);
  }
  // "" while it is not known. Any thread.
  std::string_view container() const { return container_known() ? std::string_view(container_name_) : ""; }
  std::string_view container_id() const { return container_known() ? std::string_view(container_id_) : ""; }

 private:
  bool container_known() const { return container_known_.load(std::memory_order_acquire); }
  std::string container_name_;
  std::string container_id_;
  std::atomic<bool> container_known_{false};
};

// Thread: the task's worker only, but for id and worker, which never change.
struct TaskRecord {
  TaskRecord(std::uint64_t task_id, Worker& home, Scope* owner, CancelNode* parent)
      : id(task_id), worker(&home), scope(owner), root_cancel(parent, this), cancel(&root_cancel) {}

  const std::uint64_t id;
  Worker* const worker;
  Scope* const scope;
  std::string_view name;  // of static storage
  LineageRef parent;      // the task that spawned it; null: none did
  LineageRef own;         // made when it spawns its first task
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
  TaskRecord* previous_sibling = nullptr;  // in its scope's list, guarded by that
  TaskRecord* next_sibling = nullptr;
  // From its construction on, a cancel may have the worker look at the task, so it comes after what that looks at.
  CancelNode root_cancel;
  CancelNode* cancel;  // the innermost node in force

  std::uint64_t creator_id() const { return parent ? parent->id : 0; }
};

std::uint64_t running_task_id();  // 0 outside of tasks

// Writes a task with its stack to stderr, for a process that is about to abort.
void print_task(const TaskRecord& task);

// One of those who can end a wait: the holder of a mutex, an end of a channel, a child.
struct WaitHolder {
  std::uint64_t task = 0;    // 0: not known
  const void* at = nullptr;  // where the guard or the channel's end lies: in the frame of the task that has it
  bool used = false;         // by `task`, since it lies there
};

// What a suspended task waits for, for dumps.
struct WaitTarget {
  static constexpr std::size_t kHoldersMax = 8;

  const void* object = nullptr;
  bool any = false;          // one of the holders is enough; else all must do their part
  std::uint32_t count = 0;   // of all holders
  std::uint32_t listed = 0;  // of them in `holders`
  WaitHolder holders[kHoldersMax];

  void add(WaitHolder holder) {
    if (listed < kHoldersMax) holders[listed++] = holder;
    ++count;
  }
  // The first one that is known; 0: none.
  std::uint64_t holder_id() const {
    for (std::uint32_t i = 0; i < listed; ++i) {
      if (holders[i].task != 0) return holders[i].task;
    }
    return 0;
  }
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
