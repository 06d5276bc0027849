// The one way to make a blocking call: co_await blocking(f) runs f on a thread of the pool, in state `syscall`.
// blocking_at_peers_pace(f) is for what waits for a client or a server inside (an upload that is unpacked while it
// comes): it has threads of its own, so that a peer that stands still keeps nobody from the disk.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "task/record.hpp"

namespace quoll::task {

// Threads are made on demand up to a limit and end after idling; jobs beyond that queue.
// Thread: any.
class BlockingPool {
 public:
  class Job {
   public:
    virtual void run() = 0;  // on a thread of the pool; the job may be gone when it returns

   protected:
    ~Job() = default;
  };

  // Starts a thread that runs the function, or throws; a test's may fail at will.
  using ThreadStarter = std::function<void(std::function<void()>)>;

  // REQUIRES: threads_max > 0.
  explicit BlockingPool(std::size_t threads_max, ThreadStarter start_thread = start_detached);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Errors: kResourceExhausted where no thread can be started and there is none; the job is not queued then.
  void submit(Job& job);

 private:
  static void start_detached(std::function<void()> body);
  void thread_main();

  const std::size_t threads_max_;
  const ThreadStarter start_thread_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable ended_;
  std::deque<Job*> jobs_;    // guarded by mutex_
  std::size_t threads_ = 0;  // guarded by mutex_
  std::size_t idle_ = 0;     // guarded by mutex_
  bool stopping_ = false;    // guarded by mutex_
};

enum class BlockingPace : std::uint8_t { kDisk, kPeer };

BlockingPool& blocking_pool_of(TaskRecord& task, BlockingPace pace);

// Cancel: the call itself cannot be cut short. A function that takes a std::stop_token is told; the await returns
//         when the function does, with its value or its exception.
template <typename F>
class BlockingWait final : public Wait, private BlockingPool::Job {
  static constexpr bool kTakesToken = std::is_invocable_v<F&, std::stop_token>;
  static auto call(F& function, std::stop_token token) {
    if constexpr (kTakesToken) {
      return function(std::move(token));
    } else {
      return function();
    }
  }
  using Result = decltype(call(std::declval<F&>(), std::stop_token()));

 public:
  BlockingWait(F function, BlockingPace pace)
      : Wait(TaskState::kSyscall), function_(std::move(function)), pace_(pace) {}
  bool await_ready() const noexcept { return token_cancelled(); }
  void await_suspend(std::coroutine_handle<> self) {
    started_ = true;
    suspend(self);
    try {
      blocking_pool_of(*task_, pace_).submit(*this);
    } catch (...) {
      unsuspend();
      throw;
    }
  }
  Result await_resume() {
    if (!started_) throw_cancelled();
    if (failure_) std::rethrow_exception(std::move(failure_));
    if constexpr (!std::is_void_v<Result>) return std::move(*result_);
  }
  void cancel() override { stop_.request_stop(); }

 private:
  void run() override {
    try {
      if constexpr (std::is_void_v<Result>) {
        call(function_, stop_.get_token());
      } else {
        result_.emplace(call(function_, stop_.get_token()));
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
    wake();
  }

  F function_;
  const BlockingPace pace_;
  std::stop_source stop_ = kTakesToken ? std::stop_source() : std::stop_source(std::nostopstate);
  bool started_ = false;
  std::exception_ptr failure_;
  std::optional<std::conditional_t<std::is_void_v<Result>, char, Result>> result_;
};

// `function` takes nothing or a std::stop_token. What it refers to outlives the await.
template <typename F>
BlockingWait<F> blocking(F function) {
  return BlockingWait<F>(std::move(function), BlockingPace::kDisk);
}

template <typename F>
BlockingWait<F> blocking_at_peers_pace(F function) {
  return BlockingWait<F>(std::move(function), BlockingPace::kPeer);
}

}  // namespace quoll::task
