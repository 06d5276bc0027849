// The handlers of /debug/leaks and /debug/pprof/goroutineleak.
#pragma once

#include "http/request.hpp"
#include "http/response.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

// As text, or with ?format=json as JSON. ?grace and ?blocked, durations, change how long is too long.
task::Task<void> leaks_page(task::Runtime& runtime, http::Request& request, http::Response& response);

// The leaking tasks in the forms of /debug/pprof/goroutine.
task::Task<void> goroutineleak_profile(task::Runtime& runtime, http::Request& request, http::Response& response);

}  // namespace quoll::debug
