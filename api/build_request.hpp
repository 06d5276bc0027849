// The parameters of POST /build.
#pragma once

#include "http/request.hpp"
#include "mgr/build/builder.hpp"

namespace quoll::api {

// Errors: kInvalidArgument for malformed parameters, kNotImplemented for what Quoll does not do, by name: BuildKit
// (version 2), squash, outputs.
mgr::BuildRequest build_request_of(const http::Request& request);

}  // namespace quoll::api
