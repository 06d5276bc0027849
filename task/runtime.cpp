#include "task/runtime.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <mutex>

namespace quoll::task {

namespace {

constinit std::mutex list_mutex;

std::vector<Runtime*>& all_runtimes() {
  static auto& runtimes = *new std::vector<Runtime*>;  // guarded by list_mutex
  return runtimes;
}

}  // namespace

std::uint64_t next_task_id() {
  static std::atomic<std::uint64_t> next_id{1};
  return next_id.fetch_add(1, std::memory_order_relaxed);
}

Runtime::Runtime(Clock& clock, std::size_t blocking_threads_max) : clock_(clock), blocking_pool_(blocking_threads_max) {
  {
    std::lock_guard lock(list_mutex);
    all_runtimes().push_back(this);
  }
  // A pipe whose reader has gone is an error of one task, not the end of the process. A handler of the program's stays.
  struct sigaction action{};
  if (::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
}

Runtime::~Runtime() {
  {
    std::lock_guard lock(list_mutex);
    std::erase(all_runtimes(), this);
  }
  stop();
}

void Runtime::for_each(const std::function<void(Runtime&)>& visit) {
  std::lock_guard lock(list_mutex);
  for (Runtime* const runtime : all_runtimes()) visit(*runtime);
}

Worker& Runtime::add_worker(std::string name) {
  workers_.push_back(std::make_unique<Worker>(*this, std::move(name), clock_));
  return *workers_.back();
}

std::size_t Runtime::task_count() const {
  std::size_t count = 0;
  for (const auto& worker : workers_) count += worker->task_count();
  return count;
}

void Runtime::start() {
  for (const auto& worker : workers_) {
    threads_.emplace_back([target = worker.get()] {
      ::pthread_setname_np(::pthread_self(), target->name().substr(0, 15).c_str());
      target->run();
    });
  }
  // Who asks a worker from now on finds its thread.
  for (const auto& worker : workers_) {
    while (worker->thread_id() == 0 && !worker->context().stopped()) std::this_thread::yield();
  }
}

void Runtime::stop() {
  for (const auto& worker : workers_) worker->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace quoll::task
