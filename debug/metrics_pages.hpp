// /metrics in Prometheus' text format, and /debug/vars in the form of Go's expvar.
#pragma once

#include "debug/sources.hpp"
#include "http/request.hpp"
#include "http/response.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

// Everything that both pages tell.
task::Task<Metrics> collect_metrics(task::Runtime& runtime, const DebugSources& sources);

task::Task<void> metrics_page(task::Runtime& runtime, const DebugSources& sources, http::Response& response);
task::Task<void> vars_page(task::Runtime& runtime, const DebugSources& sources, http::Response& response);

}  // namespace quoll::debug
