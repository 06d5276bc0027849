#include "task/testing.hpp"

#include <stdexcept>

namespace quoll::task {
namespace {

Task<void> run_observed(Task<void> work, TaskRecord** record, bool* done) {
  *record = &this_task::record();
  try {
    co_await std::move(work);
  } catch (const Cancelled&) {
  }
  *done = true;
}

// True where the run ended before its nth suspension.
bool run_and_cancel_at(TestRuntime& test, Task<void> work, std::uint32_t nth) {
  Scope scope("cancel_at_every_await");
  TaskRecord* record = nullptr;
  bool done = false;
  test.spawn(scope, "cancel_at_every_await", run_observed(std::move(work), &record, &done));
  while (!done) {
    if (record != nullptr && record->suspend_count >= nth) scope.cancel(CancelReason::kUser);
    if (!test.worker().run_one_for(std::chrono::seconds(30))) throw std::runtime_error("a cancelled task did not end");
  }
  const bool ended_first = !scope.cancelled();
  while (scope.size() > 0) test.worker().run_one_for(std::chrono::seconds(1));
  return ended_first;
}

}  // namespace

int cancel_at_every_await(TestRuntime& test, const std::function<Task<void>()>& make,
                          const std::function<void()>& after_each) {
  for (std::uint32_t nth = 1;; ++nth) {
    const bool ended_first = run_and_cancel_at(test, make(), nth);
    test.poll();
    after_each();
    if (ended_first) return static_cast<int>(nth) - 1;
  }
}

}  // namespace quoll::task
