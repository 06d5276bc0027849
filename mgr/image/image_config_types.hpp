// The types of an image configuration's fields, as Docker declares them.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace quoll::mgr {

// Whether each field that Docker and we know has its type; null stands for nothing in each of them, and other fields
// are nobody's business. An image that comes from elsewhere may hold anything: what is wrong is said when it comes, and
// later readers take the types for granted.
//
// Errors: kInvalidArgument naming the field: "image configuration: config.Env: expected a list of strings".
void check_config_types(const nlohmann::json& document);

}  // namespace quoll::mgr
