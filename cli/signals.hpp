// The signals that want a command to end.
#pragma once

#include <csignal>

#include "task/signals.hpp"
#include "task/task.hpp"

namespace quoll::cli {

// Where a command's signals come from; tests have their own.
class SignalSource {
 public:
  virtual ~SignalSource() = default;
  // The next signal that wants the command to end.
  virtual task::Task<int> next() = 0;
};

// Thread: the worker it was made on. REQUIRES: the signals are blocked in all threads.
class EndingSignals final : public SignalSource {
 public:
  // REQUIRES: called from a task.
  EndingSignals() = default;
  task::Task<int> next() override { return signals_.next(); }

 private:
  task::SignalWaiter signals_{SIGINT, SIGTERM, SIGHUP};
};

}  // namespace quoll::cli
