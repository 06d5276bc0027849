// Bodies in JSON, both ways.
#pragma once

#include <nlohmann/json.hpp>

#include "http/request.hpp"
#include "http/response.hpp"
#include "task/task.hpp"

namespace quoll::api {

inline constexpr std::size_t kJsonBodyBytesMax = 4 * 1024 * 1024;

// Errors: kInvalidArgument where the body is no JSON object; StatusError 413 for a longer one. Content-Type is not
// looked at: some clients send none.
task::Task<nlohmann::json> read_json(http::Request& request);

// Bytes that are no UTF-8 (a name on disk, an image's label) are replaced.
std::string to_text(const nlohmann::json& json);
task::Task<void> send_json(http::Response& response, int status, const nlohmann::json& json);

}  // namespace quoll::api
