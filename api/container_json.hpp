// Containers as Docker's clients see them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "mgr/container/container.hpp"

namespace quoll::api {

// An element of GET /containers/json.
nlohmann::json summary_json(const mgr::ContainerSnapshot& container, std::int64_t now_ns);

// GET /containers/{id}/json.
nlohmann::json inspect_json(const mgr::ContainerSnapshot& container, const mgr::ContainerPaths& paths);

}  // namespace quoll::api
