// Figures of GET /containers/{id}/stats as Docker's clients read them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "mgr/container/container.hpp"
#include "mgr/runtime/cgroup.hpp"

namespace quoll::api {

// `before`: the reading before this one; nothing for the first. `now`: nothing where the container does not run.
nlohmann::json stats_json(const mgr::ContainerSnapshot& container, const std::optional<mgr::ResourceUsage>& before,
                          const std::optional<mgr::ResourceUsage>& now);

}  // namespace quoll::api
