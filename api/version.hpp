// Versions of the API: what a client asks for, and what its age changes in an answer.
#pragma once

#include <string_view>

#include "http/request.hpp"

namespace quoll::api {

// Errors: kInvalidArgument in Docker's words for a version that is not served.
void check_version(const http::Request& request);

// Whether the client asks for a version before 1.MINOR. Without a version it gets the newest.
bool is_before(const http::Request& request, int minor);

}  // namespace quoll::api
