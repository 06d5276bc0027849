// For tests of code that awaits: a runtime on the calling thread with a clock that the test moves.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "task/combine.hpp"
#include "task/runtime.hpp"
#include "task/scope.hpp"

namespace quoll::task {

// One worker, driven by the calling thread. Nothing runs unless the test says so.
//
// Lifetime: its destructor fails the process where a task is left.
class TestRuntime {
 public:
  explicit TestRuntime(Clock& clock) : runtime_(clock), worker_(runtime_.add_worker("test")) {
    worker_.set_resumptions_per_turn(1);
  }
  TestRuntime() : TestRuntime(Clock::system()) {}

  Runtime& runtime() { return runtime_; }
  Worker& worker() { return worker_; }

  // Spawns `work` in `scope` on the test's worker.
  void spawn(Scope& scope, std::string_view name, Task<void> work,
             std::source_location at = std::source_location::current()) {
    scope.spawn_on(worker_, name, std::move(work), at);
  }
  // Runs until nothing is ready: what has not finished then waits for time, I/O or the test.
  void poll() {
    while (worker_.poll() > 0) {
    }
  }
  // How long to wait for anything to happen, 30 s at first.
  void set_patience(std::chrono::milliseconds patience) { patience_ = patience; }
  std::chrono::milliseconds patience() const { return patience_; }
  // Runs `work` as a task until it has ended, waiting for real I/O and pool threads where it must.
  // Errors: rethrows what `work` throws, Cancelled too; std::runtime_error, after cancelling `work`, where nothing
  //         happens for as long as the patience lasts.
  template <typename T>
  T run(Task<T> work) {
    std::optional<detail::Value<T>> value;
    std::exception_ptr failure;
    bool done = false;
    Scope scope("test");
    spawn(scope, "test", run_into(std::move(work), &value, &failure, &done));
    const bool in_time = run_until(done);
    if (!in_time) scope.cancel(CancelReason::kUser);
    if (!in_time && !run_until(done)) throw std::runtime_error("the task waits, and ignores its cancellation");
    while (scope.size() > 0) worker_.run_one_for(std::chrono::seconds(1));
    if (!in_time) throw std::runtime_error("the task waits for what never comes");
    if (failure) std::rethrow_exception(failure);
    if constexpr (!std::is_void_v<T>) return std::move(*value);
  }

  // Runs until `done`; false where nothing happens any more.
  bool run_until(const bool& done) {
    while (!done) {
      if (!worker_.run_one_for(patience_)) return false;
    }
    return true;
  }

 private:
  template <typename T>
  static Task<void> run_into(Task<T> work, std::optional<detail::Value<T>>* value, std::exception_ptr* failure,
                             bool* done) {
    try {
      value->emplace(co_await detail::valued(std::move(work)));
    } catch (...) {
      *failure = std::current_exception();
    }
    *done = true;
  }

  Runtime runtime_;
  Worker& worker_;
  std::chrono::milliseconds patience_ = std::chrono::seconds(30);
};

// Runs make() again and again, cancelling it at its first suspension, at its second, and so on, until a run ends
// without having reached that many. Suspensions of its children count too, as do those of whatever else runs on the
// worker. Each run must end by itself, or the process does; `after_each` then checks what is left.
// Errors: whatever but Cancelled a run throws.
// Returns the number of suspensions of a whole run.
int cancel_at_every_await(
    TestRuntime& test, const std::function<Task<void>()>& make, const std::function<void()>& after_each = [] {});

}  // namespace quoll::task
