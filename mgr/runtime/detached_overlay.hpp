// A container's root filesystem without mounting it anywhere.
#pragma once

#include <filesystem>
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

// The same, to be written to: what is new or changed goes to `upper`. REQUIRES: no other overlay uses `upper`; one
// layer or more.
UniqueFd open_writable_overlay(const std::vector<std::filesystem::path>& layers, const std::string& upper,
                               const std::string& work);

}  // namespace quoll::mgr
