// Copies a container's output, as the daemon streams it, to standard output and standard error.
#pragma once

#include "cli/commands.hpp"
#include "http/client.hpp"

namespace quoll::cli {

// Until the stream ends. What belongs to standard error goes there; a container with a terminal has one stream only.
//
// Errors: Error{kUnavailable} where the stream ends in the middle.
task::Task<void> copy_log(Context& context, http::ClientResponse& response);

}  // namespace quoll::cli
