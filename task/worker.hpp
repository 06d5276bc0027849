// Worker: one thread with one io_context, the tasks that live on it, their ready queue and their timers.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "task/clock.hpp"
#include "task/record.hpp"
#include "task/timer_queue.hpp"
#include "task/trace.hpp"
#include "task/wait_table.hpp"

namespace quoll::task {

class BlockingPool;
class Runtime;

// Thread: schedule(), interrupt(), post() and adopt() from any thread; all else on the worker's own.
class Worker {
 public:
  Worker(Runtime& runtime, std::string name, Clock& clock);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The worker whose thread this is, or null.
  static Worker* current() { return current_worker_; }
  // The task that runs on this thread now, or null.
  static TaskRecord* current_task() { return current_worker_ ? current_worker_->running_ : nullptr; }

  Runtime& runtime() { return runtime_; }
  const std::string& name() const { return name_; }
  boost::asio::io_context& context() { return context_; }
  Clock& clock() { return clock_; }

  // Takes a new task in and queues its first run. Any thread.
  void adopt(TaskRecord& task);
  // Queues a suspended task. Any thread; the caller has made sure that nobody else does it too.
  void schedule(TaskRecord& task);
  // Asks the worker to wake the node's task if that waits under a cancelled token. Any thread.
  void interrupt(CancelNode& node);
  void forget_interrupt(CancelNode& node);
  // Runs `function` on the worker's thread, outside of any task. Any thread.
  void post(std::function<void()> function);

  // Runs a task on this thread until it suspends or ends. For completion handlers.
  void resume(TaskRecord& task);
  // All live tasks, in no order. A task keeps its place until another one ends.
  std::span<TaskRecord* const> tasks() const { return tasks_; }
  std::size_t task_count() const { return task_count_.load(std::memory_order_relaxed); }
  // The id of the task that runs now, 0 if none: readable from outside while the worker does not answer.
  std::uint64_t running_id() const { return running_id_.load(std::memory_order_relaxed); }
  // When the turn began in which that task runs, coarse monotonic. Any thread.
  std::int64_t turn_began_ns() const { return turn_now_ns_.load(std::memory_order_relaxed); }
  // Of the thread that is in run(); 0: none. Any thread.
  pid_t thread_id() const { return thread_id_.load(std::memory_order_acquire); }
  // True in the few instructions in which tasks() changes: for a signal handler on the worker's thread.
  bool table_changing() const { return table_changing_.load(std::memory_order_relaxed); }
  std::uint32_t next_walk_epoch() { return ++walk_epoch_; }
  // How often tasks have suspended here so far.
  std::uint64_t suspend_count() const { return suspend_count_; }

  // How long tasks of this worker have waited, by where; and how long others waited for mutexes and semaphores that its
  // tasks have given back, by where they did. From any thread.
  const WaitTable& waits() const { return waits_; }
  WaitTable& contentions() { return contentions_; }
  // Notes in `log` what tasks do, until it is closed. Instead of any other log.
  void trace_into(std::shared_ptr<TraceLog> log) { trace_ = std::move(log); }

  void arm_timer(TimerNode& node, std::int64_t deadline_ns);
  void disarm_timer(TimerNode& node) { timers_.disarm(node); }
  void fire_due_timers();

  void run();  // the thread's body: until stop()
  void stop();
  // How many resumptions make up a turn; with 1, tests see what happens between any two rounds of wakes.
  void set_resumptions_per_turn(std::size_t count) { resumptions_per_turn_ = count; }
  // Runs what is ready and returns how many handlers ran; for tests that drive a worker by hand.
  std::size_t poll();
  // Waits for one handler, at most that long; false if none came.
  bool run_one_for(std::chrono::milliseconds bound);

 private:
  friend void finish_task(TaskRecord& task, std::exception_ptr failure);
  friend class CurrentWorker;
  friend class Wait;

  void enter_table(TaskRecord& task);
  void leave_table(TaskRecord& task);
  void push_ready(TaskRecord& task);
  void request_drain();
  void drain();
  std::size_t run_ready();
  void run_task(TaskRecord& task);
  void resume_traced(TaskRecord& task);
  void end_wait(const TaskRecord& task);
  void take_remote();
  void run_interrupts();
  void arm_kernel_timer();

  static thread_local constinit Worker* current_worker_;

  // Constant after construction.
  Runtime& runtime_;
  const std::string name_;
  Clock& clock_;

  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer kernel_timer_;

  // The worker's thread only.
  std::int64_t kernel_deadline_ns_ = 0;  // 0: not armed
  TimerQueue timers_;
  std::vector<TaskRecord*> tasks_;
  TaskRecord* running_ = nullptr;
  TaskRecord* ready_head_ = nullptr;
  TaskRecord* ready_tail_ = nullptr;
  std::uint32_t walk_epoch_ = 0;
  std::uint64_t suspend_count_ = 0;
  std::size_t resumptions_per_turn_ = 64;
  std::shared_ptr<TraceLog> trace_;  // null: nobody looks

  WaitTable waits_;
  WaitTable contentions_;

  std::mutex queue_mutex_;
  TaskRecord* remote_head_ = nullptr;  // guarded by queue_mutex_
  TaskRecord* remote_tail_ = nullptr;  // guarded by queue_mutex_
  CancelNode* interrupts_ = nullptr;   // guarded by queue_mutex_

  std::atomic<bool> drain_requested_{false};
  std::atomic<std::uint64_t> running_id_{0};
  std::atomic<std::size_t> task_count_{0};
  std::atomic<std::int64_t> turn_now_ns_{0};  // read once a turn: the clock would be most of what a suspension costs
  std::atomic<bool> table_changing_{false};
  std::atomic<pid_t> thread_id_{0};
};

}  // namespace quoll::task
