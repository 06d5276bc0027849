// Numbers in queries.
#pragma once

#include <optional>
#include <string_view>

#include "http/request.hpp"

namespace quoll::api {

// A terminal's height or width. Errors: kInvalidArgument where it is absent or none.
unsigned required_size(const http::Request& request, std::string_view name);

// All of `text` as a number; nothing where it is none.
std::optional<int> whole_number(std::string_view text);

// Nothing where it is absent or empty. Errors: kInvalidArgument where it is none.
std::optional<int> query_number(const http::Request& request, std::string_view name);

}  // namespace quoll::api
