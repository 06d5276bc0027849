// Locks that are awaited: Mutex (FIFO, knows its holder) and Semaphore.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "task/wait_list.hpp"

namespace quoll::task {

class MutexWait;

// For what must not overlap although it awaits (two stops of one container). Short sections without an await use
// std::mutex.
// Thread: any. Lifetime: outlives its guards and waiters.
class Mutex {
 public:
  class [[nodiscard]] Guard {
   public:
    Guard() = default;
    explicit Guard(Mutex* mutex) : mutex_(mutex) { tell_place(); }
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) { tell_place(); }
    Guard& operator=(Guard other) noexcept {
      std::swap(mutex_, other.mutex_);
      tell_place();
      other.tell_place();
      return *this;
    }
    ~Guard() {
      if (mutex_ != nullptr) mutex_->unlock();
    }

   private:
    void tell_place() {
      if (mutex_ != nullptr) mutex_->guard_.store(this, std::memory_order_relaxed);
    }
    Mutex* mutex_ = nullptr;
  };

  // auto guard = co_await mutex.lock();
  MutexWait lock();
  // The task that holds it, 0 if none.
  std::uint64_t holder_id() const { return holder_id_.load(std::memory_order_relaxed); }

 private:
  friend class MutexWait;
  void unlock();

  std::mutex mutex_;
  bool locked_ = false;          // guarded by mutex_
  WaitList<MutexWait> waiters_;  // guarded by mutex_
  std::atomic<std::uint64_t> holder_id_{0};
  std::atomic<const Guard*> guard_{nullptr};  // where it lies, for dumps; null until the holder goes on
};

class MutexWait final : public ListWait {
 public:
  explicit MutexWait(Mutex& mutex) : ListWait(TaskState::kMutexLock), mutex_(mutex) {}
  bool await_ready() const noexcept { return token_cancelled(); }
  bool await_suspend(std::coroutine_handle<> self);
  Mutex::Guard await_resume();
  void cancel() override;
  WaitTarget target() const override;

 private:
  friend class Mutex;
  Mutex& mutex_;
  bool owns_ = false;
};

inline MutexWait Mutex::lock() { return MutexWait(*this); }

class SemaphoreWait;

// Thread: any. Lifetime: outlives its permits and waiters.
class Semaphore {
 public:
  class [[nodiscard]] Permit {
   public:
    Permit() = default;
    explicit Permit(Semaphore* semaphore) : semaphore_(semaphore) {}
    Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
    Permit& operator=(Permit other) noexcept {
      std::swap(semaphore_, other.semaphore_);
      return *this;
    }
    ~Permit() {
      if (semaphore_ != nullptr) semaphore_->release();
    }

   private:
    Semaphore* semaphore_ = nullptr;
  };

  explicit Semaphore(std::size_t permits) : permits_(permits) {}
  SemaphoreWait acquire();

 private:
  friend class SemaphoreWait;
  void release();

  std::mutex mutex_;
  std::size_t permits_;              // guarded by mutex_
  WaitList<SemaphoreWait> waiters_;  // guarded by mutex_
};

class SemaphoreWait final : public ListWait {
 public:
  explicit SemaphoreWait(Semaphore& semaphore) : ListWait(TaskState::kSemAcquire), semaphore_(semaphore) {}
  bool await_ready() const noexcept { return token_cancelled(); }
  bool await_suspend(std::coroutine_handle<> self);
  Semaphore::Permit await_resume();
  void cancel() override;
  WaitTarget target() const override { return {.object = &semaphore_}; }

 private:
  friend class Semaphore;
  Semaphore& semaphore_;
  bool owns_ = false;
};

inline SemaphoreWait Semaphore::acquire() { return SemaphoreWait(*this); }

}  // namespace quoll::task
