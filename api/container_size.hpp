// What containers take on the disk, for `size` of list and inspect, and for /system/df.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>

#include "api/api.hpp"

namespace quoll::api {

// Adds SizeRw, the container's own files, and SizeRootFs, those with its image's. Blocks. Cancel: kCancelled.
void add_sizes(const Api& api, const std::string& container_id, const std::string& image_id, nlohmann::json& into,
               const std::stop_token& stop);

}  // namespace quoll::api
