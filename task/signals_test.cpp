#include "task/signals.hpp"

#include <gtest/gtest.h>

#include <csignal>

#include "task/testing.hpp"

namespace quoll::task {
namespace {

// Blocks in this thread, which is the worker's too, and puts back what was blocked before.
class BlockedSignals {
 public:
  explicit BlockedSignals(std::initializer_list<int> signals) {
    ::pthread_sigmask(SIG_BLOCK, nullptr, &before_);
    block_signals(signals);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

Task<int> next_of(std::initializer_list<int> signals) {
  SignalWaiter waiter(signals);
  co_return co_await waiter.next();
}

Task<void> note_next(int* got) {
  SignalWaiter waiter({SIGUSR2});
  *got = co_await waiter.next();
}

TEST(signals, one_that_came_before_the_wait_is_given) {
  const BlockedSignals blocked({SIGUSR2, SIGWINCH});
  TestRuntime runtime;
  ::pthread_kill(::pthread_self(), SIGWINCH);
  EXPECT_EQ(runtime.run(next_of({SIGUSR2, SIGWINCH})), SIGWINCH);
}

TEST(signals, a_wait_ends_with_the_signal_and_with_no_other) {
  const BlockedSignals blocked({SIGUSR2, SIGWINCH});
  TestRuntime runtime;
  int got = 0;
  Scope scope("test");
  runtime.spawn(scope, "note", note_next(&got));
  ::pthread_kill(::pthread_self(), SIGWINCH);
  runtime.poll();
  EXPECT_EQ(got, 0);
  ::pthread_kill(::pthread_self(), SIGUSR2);
  while (scope.size() > 0) runtime.worker().run_one_for(std::chrono::seconds(1));
  EXPECT_EQ(got, SIGUSR2);
  EXPECT_EQ(runtime.run(next_of({SIGWINCH})), SIGWINCH);  // it has waited for whom it is for
}

TEST(signals, a_cancelled_wait_takes_none) {
  const BlockedSignals blocked({SIGUSR2});
  TestRuntime runtime;
  int got = 0;
  Scope scope("test");
  runtime.spawn(scope, "note", note_next(&got));
  runtime.poll();
  scope.cancel(CancelReason::kUser);
  runtime.poll();
  EXPECT_EQ(scope.size(), 0u);
  ::pthread_kill(::pthread_self(), SIGUSR2);
  EXPECT_EQ(runtime.run(next_of({SIGUSR2})), SIGUSR2);
  EXPECT_EQ(got, 0);
}

}  // namespace
}  // namespace quoll::task
