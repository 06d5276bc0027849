// Files by URL, for builds: over HTTP and HTTPS, redirects followed, as registries are reached.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "mgr/registry/registry_hosts.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// Writes what `url` has to `path`, a new file. Its time is the one that the answer tells (Last-Modified), or else 1970.
//
// Cancel: closes the connection; the caller drops the file. The same after any error.
// Errors: kInvalidArgument for what is no such URL, kUnavailable, kNotFound for an answer that is none, and
//         kResourceExhausted beyond `bytes_max`.
task::Task<void> download_file(RegistryHosts& hosts, std::string url, std::filesystem::path path,
                               std::int64_t bytes_max);

}  // namespace quoll::mgr
