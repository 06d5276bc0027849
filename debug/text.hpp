// The debug=2 text of one task: Go's goroutine dump.
#pragma once

#include <cstdint>
#include <string>

#include "debug/task_view.hpp"

namespace quoll::debug {

// Appends one task's paragraph, without the blank line between two of them.
// REQUIRES: called on the task's worker.
void append_task(std::string& out, const TaskView& task, FileNames files);

// The paragraph of a task that runs on a worker which does not answer.
void append_unavailable_task(std::string& out, std::uint64_t id);

}  // namespace quoll::debug
