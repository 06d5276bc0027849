// Signals as something to wait for.
#pragma once

#include <initializer_list>

#include "task/fd.hpp"
#include "task/task.hpp"

namespace quoll::task {

// Blocks the signals in this thread, and so in all that it starts later. Call before any thread is made.
void block_signals(std::initializer_list<int> signals);

// Gives the next of `signals`, which are blocked in all threads.
// Thread: the worker it was made on.
class SignalWaiter {
 public:
  // REQUIRES: as AsyncFd.
  explicit SignalWaiter(std::initializer_list<int> signals);
  Task<int> next();

 private:
  AsyncFd descriptor_;
};

}  // namespace quoll::task
