// What a client of an older version of the API means by a body: it knows nothing of the fields that came later, and
// some that it leaves out had another default then. Each function looks at the version that is asked for and leaves the
// bodies of newer ones alone.
//
// Source: what the API's history says, version by version.
#pragma once

#include <nlohmann/json.hpp>

#include "http/request.hpp"

namespace quoll::api {

// Errors: kInvalidArgument for what an older version must not be asked, in dockerd's words. A body that is malformed in
// another way is left to its parser.
void read_as_old_create(const http::Request& request, nlohmann::json& body);
void read_as_old_update(const http::Request& request, nlohmann::json& body);
void read_as_old_exec(const http::Request& request, nlohmann::json& body);

}  // namespace quoll::api
