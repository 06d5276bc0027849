// The page at /debug/, for a person with a browser: a plain table, which its script makes live.
#pragma once

#include "http/request.hpp"
#include "http/response.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

// Tasks that the plain table, and the data of the script, hold at most; how many there are is said in both.
inline constexpr std::size_t kPageRowsMax = 500;
inline constexpr std::size_t kPageTasksMax = 250'000;

task::Task<void> page_redirect(task::Runtime& runtime, http::Request& request, http::Response& response);
task::Task<void> page_html(task::Runtime& runtime, http::Request& request, http::Response& response);
task::Task<void> page_style(task::Runtime& runtime, http::Request& request, http::Response& response);
task::Task<void> page_script(task::Runtime& runtime, http::Request& request, http::Response& response);
// What the script asks for: the tasks as columns of numbers, and each name, stack and request once.
task::Task<void> page_data(task::Runtime& runtime, http::Request& request, http::Response& response);

}  // namespace quoll::debug
