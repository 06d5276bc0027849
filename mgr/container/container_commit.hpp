// An image of a container: `docker commit`.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mgr/container/container_config.hpp"
#include "mgr/image/image_draft.hpp"

namespace quoll::mgr {

struct CommitRequest {
  std::optional<Reference> reference;
  std::string author;
  std::string comment;
  bool pause = true;                 // a running container stands still meanwhile
  nlohmann::json config;             // null, or an object as the body of a creation: what it says wins
  std::vector<std::string> changes;  // Dockerfile instructions, applied last
};

// The new image's settings: what the request says, the rest from the container.
// Errors: as apply_change().
nlohmann::json committed_settings(const ContainerConfig& config, const CommitRequest& request);

// Those of `config`'s fields, of a container or a request, that an image has.
nlohmann::json image_settings(const nlohmann::json& config);

}  // namespace quoll::mgr
