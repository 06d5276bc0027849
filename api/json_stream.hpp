// Answers that are lines of JSON, told while the work goes on: pull, push, build.
#pragma once

#include <exception>
#include <string_view>

#include "http/response.hpp"
#include "task/task.hpp"

namespace quoll::api {

// The headers go out with the first lines, so that what fails before them is still answered by its status.
task::Task<void> stream_lines(http::Response& response, std::string_view lines);

// What ended the work: an error before the first line is thrown on; a later one becomes Docker's last line,
// {"errorDetail": {"message": ...}, "error": ...}. Cancelled is thrown on always. Nothing for a null `failure`.
task::Task<void> end_stream(http::Response& response, std::exception_ptr failure);

}  // namespace quoll::api
