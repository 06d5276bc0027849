// What `quoll run` asks of the daemon, and what its refusals mean.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "cli/arguments.hpp"

namespace quoll::cli {

// The body of POST /containers/create.
nlohmann::json create_request(const RunOptions& options);

// Variables as the daemon takes them: one without a value gets this process's own, or is left out.
nlohmann::json environment_of(const std::vector<std::string>& env);

// 127 where the program is not there, 126 where it may not be run, 125 for all else.
int exit_code_of_start_failure(std::string_view message);

}  // namespace quoll::cli
