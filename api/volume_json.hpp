// Volumes as clients see them.
#pragma once

#include <nlohmann/json.hpp>

#include "mgr/volume/volume_manager.hpp"

namespace quoll::api {

nlohmann::json volume_json(const mgr::Volume& volume);
// The same with its size and users, for /system/df.
nlohmann::json volume_usage_json(const mgr::VolumeUsage& usage);

}  // namespace quoll::api
