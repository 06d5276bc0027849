#include "task/blocking.hpp"

#include <pthread.h>

#include <chrono>

#include "task/runtime.hpp"

namespace quoll::task {
namespace {
constexpr auto kIdleTime = std::chrono::seconds(5);
}

BlockingPool& blocking_pool_of(TaskRecord& task) { return task.worker->runtime().blocking_pool(); }

BlockingPool::~BlockingPool() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  work_.notify_all();
  ended_.wait(lock, [this] { return threads_ == 0; });
}

void BlockingPool::submit(Job& job) {
  std::lock_guard lock(mutex_);
  jobs_.push_back(&job);
  if (jobs_.size() <= idle_ || threads_ == threads_max_) {
    work_.notify_one();
    return;
  }
  ++threads_;
  // The destructor waits until the count is 0, so no handle is kept: an idle thread ends by itself.
  std::thread([this] { thread_main(); }).detach();
}

void BlockingPool::thread_main() {
  ::pthread_setname_np(::pthread_self(), "blocking");
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    work_.wait_for(lock, kIdleTime, [this] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) break;
    Job& job = *jobs_.front();
    jobs_.pop_front();
    lock.unlock();
    job.run();
    lock.lock();
  }
  --threads_;
  ended_.notify_all();
}

}  // namespace quoll::task
