// System call filters: the default one, and those that a client brings, as the runtime reads them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

namespace quoll::mgr {

// The `linux.seccomp` object of the default profile for a process whose bounding set is `capabilities`. Everything that
// is not listed fails with EPERM; a capability brings the calls that are of no use without it.
nlohmann::json default_seccomp(const std::set<std::string>& capabilities);

// The same from a profile in Docker's format, with its conditions (includes, excludes) worked out for this machine and
// `capabilities`.
//
// Errors: kInvalidArgument naming what is wrong in the profile.
nlohmann::json seccomp_from_profile(const nlohmann::json& profile, const std::set<std::string>& capabilities);

}  // namespace quoll::mgr
