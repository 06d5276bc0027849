// POST /containers/{id}/update: new limits and a new restart policy for a container that is there.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "mgr/container/container_config.hpp"

namespace quoll::mgr {

struct ContainerUpdate {
  nlohmann::json body;                   // as the client sent it: an object
  bool limits = false;                   // whether there are limits in it
  std::optional<RestartPolicy> restart;  // nothing: stays
};

// Errors: kInvalidArgument for a wrong type or value; kNotImplemented for a limit that cannot be changed.
ContainerUpdate parse_container_update(const nlohmann::json& body);

// Changes `host` to what the update asks for; a limit of 0 or "" stays as it is, as Docker has it.
//
// Errors: kInvalidArgument, in Docker's words, where the limits do not fit together or the policy and AutoRemove do
// not.
void apply_update(HostConfig& host, const ContainerUpdate& update);

}  // namespace quoll::mgr
