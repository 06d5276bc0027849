// The debug=2 text of one task: Go's goroutine dump.
#pragma once

#include <cstdint>
#include <string>

#include "debug/summary.hpp"
#include "debug/task_view.hpp"

namespace quoll::debug {

// Appends one task's paragraph, without the blank line between two of them. `mark`, where not empty, is one more item
// in the brackets. REQUIRES: called on the task's worker.
void append_task(std::string& out, const TaskView& task, FileNames files, std::string_view mark = {});
// The same of what was noted of a task. Any thread.
void append_task(std::string& out, const TaskSummary& task, FileNames files);

}  // namespace quoll::debug
