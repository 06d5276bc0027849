// Signals as something to wait for.
#pragma once

#include "task/fd.hpp"
#include "task/task.hpp"

namespace quoll::cli {

// Where a command's signals come from; tests have their own.
class SignalSource {
 public:
  virtual ~SignalSource() = default;
  // The next signal that wants the command to end.
  virtual task::Task<int> next() = 0;
};

// Blocks SIGINT, SIGTERM, SIGHUP and SIGWINCH in this thread and in all that it starts later. Call before any thread is
// made.
void block_ending_signals();

// Thread: the worker it was made on. REQUIRES: block_ending_signals() was called.
class EndingSignals final : public SignalSource {
 public:
  // REQUIRES: called from a task.
  EndingSignals();
  task::Task<int> next() override;

 private:
  task::AsyncFd descriptor_;
};

// The terminal has another size. Thread: the worker it was made on. REQUIRES: as EndingSignals.
class ResizeSignals {
 public:
  ResizeSignals();
  task::Task<void> next();

 private:
  task::AsyncFd descriptor_;
};

}  // namespace quoll::cli
