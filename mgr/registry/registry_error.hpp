// What goes wrong with a registry, in the words that Docker's users know.
#pragma once

#include <string>

#include "mgr/registry/registry_session.hpp"
#include "task/error.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// `Get "https://host/v2/"`, as Go's client names its requests in errors.
std::string request_name(const std::string& method, const RegistryUrl& url);

// "connect to h:1: Connection refused" as Go says it, which is what scripts look for.
std::string go_words(std::string message);

// The error that an answer's status and body tell of: the registry's own words, "manifest unknown: manifest unknown".
//
// Errors: none; what it returns is to be thrown.
task::Task<Error> registry_error(RegistryAnswer answer);

}  // namespace quoll::mgr
