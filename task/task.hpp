// Task<T>: a lazy coroutine of one task. It runs when awaited (or spawned), on its awaiter's worker, and ends before
// the expression that awaits it does.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>
#include <variant>

#include "task/frame_allocator.hpp"
#include "task/record.hpp"

namespace quoll::task {

template <typename T>
class Task;

// Ends the task whose root frame has finished; destroys the frame and the record. In worker.cpp.
void finish_task(TaskRecord& task, std::exception_ptr failure);

class PromiseBase : public Frame {
 public:
  explicit PromiseBase(std::source_location defined_at) {
    if constexpr (kTracked) at = defined_at;
  }

  static void* operator new(std::size_t size) { return FrameAllocator::allocate(size); }
  static void operator delete(void* frame, std::size_t size) { FrameAllocator::deallocate(frame, size); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { failure_ = std::current_exception(); }

  template <typename Awaitable>
  decltype(auto) await_transform(Awaitable&& awaitable,
                                 std::source_location awaited_at = std::source_location::current()) {
    if constexpr (kTracked) at = awaited_at;
    if constexpr (std::derived_from<std::remove_cvref_t<Awaitable>, Wait>) awaitable.bind(*task);
    return std::forward<Awaitable>(awaitable);
  }

  std::exception_ptr failure_;
};

// Promises are laid out behind the frame's two pointers, so a handle can be made from any Frame.
inline std::coroutine_handle<> handle_of(Frame& frame) { return std::coroutine_handle<Frame>::from_promise(frame); }

struct FinalAwaiter {
  bool await_ready() noexcept { return false; }
  template <typename Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
    Promise& frame = self.promise();
    TaskRecord& task = *frame.task;
    if (frame.caller == nullptr) {
      finish_task(task, std::move(frame.failure_));
      return std::noop_coroutine();
    }
    if constexpr (kTracked) task.leaf = frame.caller;
    if (task.inline_frame == &frame) return std::noop_coroutine();
    return handle_of(*frame.caller);
  }
  void await_resume() noexcept {}
};

template <typename T>
class Promise final : public PromiseBase {
 public:
  // The default is evaluated where the coroutine is defined, so it names the coroutine.
  explicit Promise(std::source_location defined_at = std::source_location::current()) : PromiseBase(defined_at) {}
  Task<T> get_return_object();
  FinalAwaiter final_suspend() noexcept { return {}; }
  template <typename U>
    requires std::convertible_to<U, T>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() {
    if (failure_) std::rethrow_exception(std::move(failure_));
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> final : public PromiseBase {
 public:
  explicit Promise(std::source_location defined_at = std::source_location::current()) : PromiseBase(defined_at) {}
  Task<void> get_return_object();
  FinalAwaiter final_suspend() noexcept { return {}; }
  void return_void() {}
  void take() {
    if (failure_) std::rethrow_exception(std::move(failure_));
  }
};

// Lifetime: owns the coroutine's frame; dropping a Task that was never awaited drops the coroutine unstarted.
// Cancel:   awaits inside throw Cancelled once the token in force is cancelled.
template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  template <typename Caller>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Caller> caller) noexcept {
    enter(caller.promise());
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

  // For the runtime: links the frame below `caller`, or hands the frame to a task record.
  void enter(Frame& caller) noexcept {
    Frame& frame = handle_.promise();
    frame.caller = &caller;
    frame.task = caller.task;
    if constexpr (kTracked) caller.task->leaf = &frame;
  }
  Handle release() { return std::exchange(handle_, nullptr); }
  Handle handle() const { return handle_; }

 private:
  static_assert(alignof(Promise<T>) <= 2 * sizeof(void*), "handle_of() counts on the promise's place in the frame");
  Handle handle_;
};

template <typename T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// co_await start_inline(task, on_suspend): runs `task` at once, and calls on_suspend() only if it has suspended rather
// than ended. For work that is only worth starting beside a task which really waits (the HTTP disconnect watch).
// on_suspend() runs while the task is suspended already, so it must not throw.
template <typename T, typename F>
class StartInline {
 public:
  StartInline(Task<T> task, F on_suspend) : task_(std::move(task)), on_suspend_(std::move(on_suspend)) {}
  bool await_ready() const noexcept { return false; }
  template <typename Caller>
  bool await_suspend(std::coroutine_handle<Caller> caller) {
    task_.enter(caller.promise());
    Frame& frame = task_.handle().promise();
    TaskRecord& record = *frame.task;
    Frame* const outer = std::exchange(record.inline_frame, &frame);
    task_.handle().resume();
    record.inline_frame = outer;
    if (task_.handle().done()) return false;
    call_on_suspend();
    return true;
  }
  T await_resume() { return task_.await_resume(); }

 private:
  void call_on_suspend() noexcept { on_suspend_(); }

  Task<T> task_;
  F on_suspend_;
};

template <typename T, typename F>
StartInline<T, F> start_inline(Task<T> task, F on_suspend) {
  return StartInline<T, F>(std::move(task), std::move(on_suspend));
}

}  // namespace quoll::task
