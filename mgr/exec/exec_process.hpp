// The `process` object that the runtime makes an exec from.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "mgr/exec/exec.hpp"

namespace quoll::mgr {

// `container_process` is the one of the container's config.json; what the exec does not say is as there. `root` is
// where the container's users are looked up, and `capabilities` what a privileged exec may have.
//
// Thread: any; blocks on the disk. Errors: kInvalidArgument for a user whom the container does not have.
nlohmann::json exec_process(const ExecConfig& exec, nlohmann::json container_process, const std::string& root,
                            std::uint64_t capabilities);

}  // namespace quoll::mgr
