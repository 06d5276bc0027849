// Dumps of all live tasks: the debug=2 text, plain values, and counts of equal stacks.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "debug/options.hpp"
#include "debug/samples.hpp"
#include "debug/summary.hpp"
#include "debug/walk.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

// Takes the next piece of a dump; the view is valid until its await ends. It may take its time: the workers go on.
using TextSink = std::function<task::Task<void>(std::string_view)>;
using SummarySink = std::function<task::Task<void>(const std::vector<TaskSummary>&)>;

// All from a task of any worker of `runtime`, or of another runtime. The calling task comes first, as running, where
// the options let it through; a running task of a worker that does not answer comes last.
//
// Cancel: throws Cancelled; the walk ends on all workers by itself.
// Errors: Error{kInvalidArgument} for a bad pattern, before anything is sent; Error{kUnavailable} where too many dumps
//         are under way; what the sink throws.
task::Task<WalkFacts> stream_text(task::Runtime& runtime, DumpOptions options, TextSink sink);
task::Task<WalkFacts> stream_summaries(task::Runtime& runtime, DumpOptions options, SummarySink sink);

// The same, collected. Limits: as large as the dump; for tests, leak checks and the operator's tool.
task::Task<std::string> dump_text(task::Runtime& runtime, DumpOptions options = {});
task::Task<std::vector<TaskSummary>> list_tasks(task::Runtime& runtime, DumpOptions options = {});

// How many tasks have the same stack and labels; `facts`, where not null, gets the walk's.
task::Task<StackCounts> count_stacks(task::Runtime& runtime, DumpOptions options, WalkFacts* facts = nullptr);

}  // namespace quoll::debug
