// Changes of an image's settings in Dockerfile instructions, as `docker commit --change` and `docker import` take them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::mgr {

// Applies CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR to `config`,
// an object as an image's "config" is.
//
// Errors: kInvalidArgument in Docker's words for another instruction or malformed arguments.
void apply_change(nlohmann::json& config, std::string_view instruction);

}  // namespace quoll::mgr
