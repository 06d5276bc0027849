#include "task/worker.hpp"

#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <memory>

#include "task/assert.hpp"
#include "task/scope.hpp"

namespace quoll::task {

namespace asio = boost::asio;

namespace {
constexpr std::uint32_t kNoSlot = static_cast<std::uint32_t>(-1);
}

thread_local constinit Worker* Worker::current_worker_ = nullptr;

// Makes a worker the thread's own for a stretch of its event loop.
class CurrentWorker {
 public:
  explicit CurrentWorker(Worker* worker) : previous_(std::exchange(Worker::current_worker_, worker)) {}
  ~CurrentWorker() { Worker::current_worker_ = previous_; }

 private:
  Worker* const previous_;
};

Worker::Worker(Runtime& runtime, std::string name, Clock& clock)
    : runtime_(runtime),
      name_(std::move(name)),
      clock_(clock),
      context_(1),
      work_(asio::make_work_guard(context_)),
      kernel_timer_(context_) {}

Worker::~Worker() {
  for (const TaskRecord* const task : tasks_) print_task(*task);
  QUOLL_ASSERT(tasks_.empty());
}

// For a signal handler that may come in between on this thread.
class TableChange {
 public:
  explicit TableChange(std::atomic<bool>& flag) : flag_(flag) {
    flag_.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~TableChange() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    flag_.store(false, std::memory_order_relaxed);
  }

 private:
  std::atomic<bool>& flag_;
};

void Worker::enter_table(TaskRecord& task) {
  const TableChange change(table_changing_);
  task.slot = static_cast<std::uint32_t>(tasks_.size());
  tasks_.push_back(&task);
  task_count_.store(tasks_.size(), std::memory_order_relaxed);
}

void Worker::leave_table(TaskRecord& task) {
  const TableChange change(table_changing_);
  TaskRecord* const last = tasks_.back();
  tasks_[task.slot] = last;
  last->slot = task.slot;
  tasks_.pop_back();
  task_count_.store(tasks_.size(), std::memory_order_relaxed);
}

void Worker::adopt(TaskRecord& task) {
  task.slot = kNoSlot;
  if (current_worker_ == this) enter_table(task);
  schedule(task);
}

void Worker::schedule(TaskRecord& task) {
  if (current_worker_ == this) {
    push_ready(task);
  } else {
    std::lock_guard lock(queue_mutex_);
    task.next_ready = nullptr;
    if (remote_tail_ != nullptr) {
      remote_tail_->next_ready = &task;
    } else {
      remote_head_ = &task;
    }
    remote_tail_ = &task;
  }
  request_drain();
}

void Worker::push_ready(TaskRecord& task) {
  QUOLL_ASSERT(!task.queued);
  task.queued = true;
  if (kTracked && task.state != TaskState::kIdle) {
    end_wait(task);
    task.state = TaskState::kRunnable;
  }
  task.next_ready = nullptr;
  if (ready_tail_ != nullptr) {
    ready_tail_->next_ready = &task;
  } else {
    ready_head_ = &task;
  }
  ready_tail_ = &task;
}

void Worker::interrupt(CancelNode& node) {
  {
    std::lock_guard lock(queue_mutex_);
    if (node.interrupt_queued_) return;
    node.interrupt_queued_ = true;
    node.next_interrupt_ = interrupts_;
    interrupts_ = &node;
  }
  request_drain();
}

void Worker::forget_interrupt(CancelNode& node) {
  std::lock_guard lock(queue_mutex_);
  if (!node.interrupt_queued_) return;
  CancelNode** link = &interrupts_;
  while (*link != &node) link = &(*link)->next_interrupt_;
  *link = node.next_interrupt_;
}

void Worker::post(std::function<void()> function) {
  asio::post(context_, [this, function = std::move(function)] {
    CurrentWorker current(this);
    function();
  });
}

void Worker::request_drain() {
  if (drain_requested_.exchange(true, std::memory_order_acq_rel)) return;
  asio::post(context_, [this] { drain(); });
}

void Worker::drain() {
  CurrentWorker current(this);
  drain_requested_.store(false, std::memory_order_release);
  if constexpr (kTracked) turn_now_ns_.store(coarse_now_ns(), std::memory_order_relaxed);
  // What these tasks wake waits for the next round, and after some rounds for the next turn, so that I/O is not
  // starved. A turn costs a system call, so it is not taken for each of a few tasks that wake each other.
  std::size_t resumed = 0;
  do {
    take_remote();
    run_interrupts();
    resumed += run_ready();
  } while (ready_head_ != nullptr && resumed < resumptions_per_turn_);
  if (ready_head_ != nullptr) request_drain();
}

std::size_t Worker::run_ready() {
  std::size_t resumed = 0;
  TaskRecord* const last = ready_tail_;
  while (ready_head_ != nullptr) {
    TaskRecord* const task = ready_head_;
    ready_head_ = task->next_ready;
    if (ready_head_ == nullptr) ready_tail_ = nullptr;
    task->queued = false;
    ++resumed;
    run_task(*task);
    if (task == last) break;
  }
  return resumed;
}

void Worker::take_remote() {
  TaskRecord* task = nullptr;
  {
    std::lock_guard lock(queue_mutex_);
    task = std::exchange(remote_head_, nullptr);
    remote_tail_ = nullptr;
  }
  while (task != nullptr) {
    TaskRecord* const next = task->next_ready;
    if (task->slot == kNoSlot) enter_table(*task);
    push_ready(*task);
    task = next;
  }
}

void Worker::run_interrupts() {
  while (true) {
    CancelNode* node = nullptr;
    {
      std::lock_guard lock(queue_mutex_);
      node = interrupts_;
      if (node == nullptr) return;
      interrupts_ = node->next_interrupt_;
      node->interrupt_queued_ = false;
    }
    // Nodes are destroyed on this thread only, so this one is still there.
    TaskRecord& task = *node->task();
    if (task.wait != nullptr && !task.queued && task.cancel->cancelled()) task.wait->cancel();
  }
}

void Worker::resume(TaskRecord& task) {
  if constexpr (kTracked) {
    turn_now_ns_.store(coarse_now_ns(), std::memory_order_relaxed);
    end_wait(task);
  }
  run_task(task);
}

void Worker::run_task(TaskRecord& task) {
  TaskRecord* const outer = running_;
  Worker* const outer_worker = std::exchange(current_worker_, this);
  running_ = &task;
  if constexpr (kTracked) {
    running_id_.store(task.id, std::memory_order_relaxed);
    task.state = TaskState::kRunning;
  }
  if (kTracked && trace_ != nullptr) [[unlikely]] {
    resume_traced(task);
  } else {
    task.wait = nullptr;
    task.resume_point.resume();
  }
  running_ = outer;
  if constexpr (kTracked) running_id_.store(outer != nullptr ? outer->id : 0, std::memory_order_relaxed);
  current_worker_ = outer_worker;
}

// `task.state` is still what it has waited in.
void Worker::end_wait(const TaskRecord& task) {
  const std::int64_t now_ns = turn_now_ns_.load(std::memory_order_relaxed);
  if (now_ns != task.since_ns) waits_.add(task.state, task.leaf, now_ns - task.since_ns);
  if (trace_ != nullptr) [[unlikely]]
    trace_->note_wake(task);
}

void Worker::resume_traced(TaskRecord& task) {
  if (!trace_->is_open()) trace_.reset();
  RunSlice slice = begin_slice(task, trace_.get());
  task.wait = nullptr;
  task.resume_point.resume();
  if (trace_ == nullptr) return;
  end_slice(slice, running_ == &task ? &task : nullptr);
  trace_->add(std::move(slice));
}

void Worker::arm_timer(TimerNode& node, std::int64_t deadline_ns) {
  timers_.arm(node, deadline_ns);
  if (clock_.real()) arm_kernel_timer();
}

void Worker::arm_kernel_timer() {
  if (timers_.empty()) return;
  const std::int64_t next = timers_.next_deadline_ns();
  if (kernel_deadline_ns_ != 0 && kernel_deadline_ns_ <= next) return;  // it fires earlier and looks again
  kernel_deadline_ns_ = next;
  kernel_timer_.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next)));
  kernel_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    kernel_deadline_ns_ = 0;
    fire_due_timers();
  });
}

void Worker::fire_due_timers() {
  CurrentWorker current(this);
  if constexpr (kTracked) turn_now_ns_.store(coarse_now_ns(), std::memory_order_relaxed);
  timers_.fire_due(clock_.now_ns());
  if (clock_.real()) arm_kernel_timer();
}

void Worker::run() {
  thread_id_.store(::gettid(), std::memory_order_release);
  context_.run();
  thread_id_.store(0, std::memory_order_release);
}

void Worker::stop() {
  work_.reset();
  context_.stop();
}

std::size_t Worker::poll() {
  context_.restart();
  return context_.poll();
}

bool Worker::run_one_for(std::chrono::milliseconds bound) {
  context_.restart();
  return context_.run_one_for(bound) > 0;
}

void finish_task(TaskRecord& task, std::exception_ptr failure) {
  Worker& worker = *task.worker;
  Scope& scope = *task.scope;
  task.leaf = nullptr;
  task.root.destroy();
  worker.leave_table(task);
  worker.running_ = nullptr;
  if (task.own) task.own->ended.store(true, std::memory_order_relaxed);
  scope.child_ended(task, std::move(failure));
}

void Wait::suspend(std::coroutine_handle<> resume_point) {
  task_->resume_point = resume_point;
  task_->wait = this;
  if constexpr (!kTracked) return;
  task_->state = state_;
  task_->since_ns = task_->worker->turn_began_ns();
  ++task_->worker->suspend_count_;
}

void Wait::unsuspend() {
  task_->state = TaskState::kRunning;
  task_->wait = nullptr;
}

void Wait::wake() {
  TaskRecord& task = *task_;
  task.worker->schedule(task);
}

}  // namespace quoll::task
