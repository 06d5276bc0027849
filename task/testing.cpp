#include "task/testing.hpp"

#include <cstdio>
#include <cstdlib>

namespace quoll::task {
namespace {

Task<void> run_observed(Task<void> work, bool* done, std::exception_ptr* failure) {
  try {
    co_await std::move(work);
  } catch (const Cancelled&) {
  } catch (...) {
    *failure = std::current_exception();
  }
  *done = true;
}

// There is no going on from here: the task's frames refer to what a throw would destroy.
[[noreturn]] void stuck(const Worker& worker) {
  std::fputs("a cancelled task did not end; these are alive:\n", stderr);
  for (const TaskRecord* const task : worker.tasks()) print_task(*task);
  std::abort();
}

// True where the run ended before its nth suspension.
bool run_and_cancel_at(TestRuntime& test, Task<void> work, std::uint64_t nth) {
  Scope scope("cancel_at_every_await");
  bool done = false;
  std::exception_ptr failure;
  const std::uint64_t cancel_at = test.worker().suspend_count() + nth;
  test.spawn(scope, "cancel_at_every_await", run_observed(std::move(work), &done, &failure));
  while (!done) {
    if (test.worker().suspend_count() >= cancel_at) scope.cancel(CancelReason::kUser);
    if (!test.worker().run_one_for(test.patience())) stuck(test.worker());
  }
  const bool ended_first = !scope.cancelled();
  while (scope.size() > 0) test.worker().run_one_for(std::chrono::seconds(1));
  if (failure) std::rethrow_exception(failure);
  return ended_first;
}

}  // namespace

int cancel_at_every_await(TestRuntime& test, const std::function<Task<void>()>& make,
                          const std::function<void()>& after_each) {
  for (std::uint64_t nth = 1;; ++nth) {
    const bool ended_first = run_and_cancel_at(test, make(), nth);
    test.poll();
    after_each();
    if (ended_first) return static_cast<int>(nth) - 1;
  }
}

}  // namespace quoll::task
