// What several routes of images read from their requests.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.hpp"
#include "mgr/image/image.hpp"
#include "mgr/image/reference.hpp"

namespace quoll::api {

// The parameters `repo` and `tag`; nothing where there is no repository. Errors: kInvalidArgument.
std::optional<mgr::Reference> reference_of(const http::Request& request);

// The platforms that the values of a parameter name in JSON; none for versions before 1.`since`, which do not know it.
// Errors: kInvalidArgument.
std::vector<mgr::Platform> platforms_of(const http::Request& request, std::string_view parameter, int since);
// Errors: kNotFound in Docker's words where `wanted` has others only.
void check_platform(const mgr::Image& image, const std::string& name, const std::vector<mgr::Platform>& wanted);

// The `changes` of commit and import, one instruction each.
std::vector<std::string> changes_of(const http::Request& request);

}  // namespace quoll::api
