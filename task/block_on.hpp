// block_on: runs a task from a thread that is no worker's, such as main()'s.
#pragma once

#include <string_view>

#include "task/task.hpp"

namespace quoll::task {

class Worker;

// Spawns `work` on `worker` and blocks the calling thread until it has ended.
//
// Thread:   any but a worker's; the worker's own thread runs already (Runtime::start()).
// Errors:   rethrows what `work` throws; a Cancelled ends it like a return.
void block_on(Worker& worker, std::string_view name, Task<void> work);

}  // namespace quoll::task
