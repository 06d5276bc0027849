// The handlers of /debug/goroutine, /debug/pprof/goroutine and /debug/tasks.
#pragma once

#include <chrono>
#include <string_view>

#include "debug/options.hpp"
#include "http/request.hpp"
#include "http/response.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

// ?debug=2 by default, and ?debug=0 by default: the same otherwise.
task::Task<void> goroutine_text(task::Runtime& runtime, http::Request& request, http::Response& response);
task::Task<void> goroutine_profile(task::Runtime& runtime, http::Request& request, http::Response& response);

// Sends a dump in the form of `level` (0 to 3); `name` is the profile's: goroutine, goroutineleak.
task::Task<void> send_dump(task::Runtime& runtime, std::string_view name, int level, DumpOptions options,
                           std::chrono::seconds delta, http::Response& response);

task::Task<void> tasks_json(task::Runtime& runtime, http::Request& request, http::Response& response);

}  // namespace quoll::debug
