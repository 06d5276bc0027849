// The handlers of Go's profiles but for goroutine: heap, allocs, block, mutex, threadcreate, profile and trace.
#pragma once

#include "http/request.hpp"
#include "http/response.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

task::Task<void> cpu_profile_page(task::Runtime& runtime, http::Request& request, http::Response& response);
task::Task<void> trace_page(task::Runtime& runtime, http::Request& request, http::Response& response);
// Of /debug/pprof/{profile}; 404 for a name that Go does not have either.
task::Task<void> profile_page(task::Runtime& runtime, http::Request& request, http::Response& response);

}  // namespace quoll::debug
