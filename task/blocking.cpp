#include "task/blocking.hpp"

#include <pthread.h>

#include <chrono>
#include <string>
#include <system_error>

#include "task/assert.hpp"
#include "task/error.hpp"
#include "task/runtime.hpp"

namespace quoll::task {
namespace {
constexpr auto kIdleTime = std::chrono::seconds(5);
}

BlockingPool& blocking_pool_of(TaskRecord& task, BlockingPace pace) {
  Runtime& runtime = task.worker->runtime();
  return pace == BlockingPace::kPeer ? runtime.peer_pool() : runtime.blocking_pool();
}

BlockingPool::BlockingPool(std::size_t threads_max, ThreadStarter start_thread)
    : threads_max_(threads_max), start_thread_(std::move(start_thread)) {
  QUOLL_ASSERT(threads_max_ > 0);
}

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
  try {
    start_thread_([this] { thread_main(); });
    ++threads_;
  } catch (const std::system_error& error) {
    if (threads_ > 0) return;  // one of those that there are takes the job
    jobs_.pop_back();
    throw Error(ErrorClass::kResourceExhausted, std::string("start a thread for blocking calls: ") + error.what());
  }
}

// The destructor waits until the count is 0, so no handle is kept: an idle thread ends by itself.
void BlockingPool::start_detached(std::function<void()> body) { std::thread(std::move(body)).detach(); }

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
