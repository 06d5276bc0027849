#include "task/block_on.hpp"

#include <future>

#include "task/assert.hpp"
#include "task/scope.hpp"
#include "task/worker.hpp"

namespace quoll::task {
namespace {

Task<void> run_into(Task<void> work, std::promise<void>* ended) {
  std::exception_ptr failure;
  try {
    co_await std::move(work);
  } catch (const Cancelled&) {
    failure = nullptr;
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    ended->set_exception(std::move(failure));
  } else {
    ended->set_value();
  }
}

}  // namespace

void block_on(Worker& worker, std::string_view name, Task<void> work) {
  QUOLL_ASSERT(Worker::current() == nullptr);
  std::promise<void> ended;
  std::future<void> result = ended.get_future();
  Scope scope(name, Scope::Kind::kRoot);
  scope.spawn_on(worker, name, run_into(std::move(work), &ended));
  result.wait();
  while (scope.size() > 0) std::this_thread::yield();  // for the task's last instructions
  result.get();
}

}  // namespace quoll::task
