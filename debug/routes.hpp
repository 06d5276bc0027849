// The routes under /debug.
#pragma once

#include "debug/sources.hpp"
#include "http/router.hpp"
#include "task/runtime.hpp"

namespace quoll::debug {

// Adds, each for GET and HEAD:
//   /debug/                 the page for a person with a browser, and what it is made of
//   /debug/goroutine        all tasks with their stacks; ?debug=2 unless said otherwise
//   /debug/pprof/           the index, for people
//   /debug/pprof/goroutine  the same as /debug/goroutine, but ?debug=0 unless said otherwise, as Go's tools expect
//   /debug/pprof/cmdline, /debug/pprof/symbol (POST too)
//   /debug/pprof/{profile}  Go's other profiles, 404 for what Go has not
//   /debug/vars, /metrics   numbers, as expvar and as Prometheus have them
//   /debug/tasks            the same tasks as JSON
//   /debug/leaks            the tasks that leak, with the reason; /debug/pprof/goroutineleak has them as a profile
// docs/DEBUG.md has their parameters and formats.
//
// Lifetime: `runtime`, whose tasks are shown, outlives the router. The routes may be served by it or by another one.
void add_debug_routes(http::Router& router, task::Runtime& runtime, DebugSources sources = {});

}  // namespace quoll::debug
