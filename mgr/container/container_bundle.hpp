// The files of one container: what is kept, and the bundle that a run hands to the runtime.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mgr/container/container.hpp"
#include "mgr/container/container_store.hpp"
#include "mgr/container/spec_host_facts.hpp"
#include "mgr/runtime/monitor.hpp"
#include "mgr/runtime/seccomp_filters.hpp"

namespace quoll::mgr {

// All functions block on the disk; from any thread. Errors: kResourceExhausted on a full disk, others as they say.

// Makes the kept directories of a new container. `paths.directory` must not be there.
void make_container_directories(const ContainerPaths& paths);

// Writes the bundle of a new run: config.json, overlay, and the empty directories that the monitor and the mount want.
// What an earlier run has left there is dropped first.
//
// `layers` are those of the image, the topmost first. With `filters`, a system call filter that is compiled already is
// used; a profile that `filters` does not know yet is returned.
// Errors: kInvalidArgument for what the configuration asks and the image or the host does not have (a user, a device).
std::optional<std::string> write_bundle(const Container& container, const std::vector<std::filesystem::path>& layers,
                                        const SeccompFilters* filters);

// What the client is told beside the id of a new container: limits that this host does not have.
std::vector<std::string> creation_warnings(const Container& container);

// What this host has; read once.
const HostFacts& host_facts();

ContainerRecord record_of(const ContainerSnapshot& snapshot);
MonitoredContainer monitored(const Container& container);

// The processes that a bundle names, if its monitor still lives.
std::optional<MonitorProcesses> read_left_processes(const std::string& bundle);

}  // namespace quoll::mgr
