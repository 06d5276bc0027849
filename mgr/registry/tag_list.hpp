// The tags of a repository, as its registry lists them.
#pragma once

#include <string>
#include <vector>

#include "mgr/image/reference.hpp"
#include "mgr/registry/registry_session.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// Every tag, of all pages (`Link: <...>; rel="next"`). Each can be put into a reference.
//
// Errors: those of the registry; kUnavailable for pages that lead back, or do not end; kResourceExhausted for a list
//         larger than 8 MiB; kInvalidArgument for what is no list of tags.
task::Task<std::vector<std::string>> list_tags(RegistrySession& session, Reference repository);

}  // namespace quoll::mgr
