// The handlers of /debug/pprof/ that are no profile of tasks: the index, cmdline and symbol.
#pragma once

#include "http/request.hpp"
#include "http/response.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

// Relative links of the index need the slash at its end.
task::Task<void> pprof_redirect(task::Runtime& runtime, http::Request& request, http::Response& response);
task::Task<void> pprof_index(task::Runtime& runtime, http::Request& request, http::Response& response);
task::Task<void> pprof_cmdline(task::Runtime& runtime, http::Request& request, http::Response& response);
task::Task<void> pprof_symbol(task::Runtime& runtime, http::Request& request, http::Response& response);

// The arguments joined by NUL.
std::string command_line();
// "0x1f+0x2a" -> "num_symbols: 1\n0x1f name\n..."; addresses that no function has are left out.
std::string symbolize(std::string_view addresses);

}  // namespace quoll::debug
