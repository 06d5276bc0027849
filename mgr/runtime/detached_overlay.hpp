// A read-only look at a container's root filesystem without mounting it anywhere.
#pragma once

#include <string>
#include <vector>

#include "task/unique_fd.hpp"

namespace quoll::mgr {

// The root directory of an overlay of `directories`, the topmost first. It is attached to no mount namespace and goes
// with the descriptor.
//
// REQUIRES: two directories or more.
// Thread:   any; blocks on the disk for a moment. Errors: of system_error().
UniqueFd open_detached_overlay(const std::vector<std::string>& directories);

}  // namespace quoll::mgr
