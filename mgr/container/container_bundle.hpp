// The files of one container: what is kept, and the bundle that a run hands to the runtime.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mgr/container/container.hpp"
#include "mgr/container/container_store.hpp"
#include "mgr/container/spec_files.hpp"
#include "mgr/container/spec_host_facts.hpp"
#include "mgr/runtime/monitor.hpp"
#include "mgr/runtime/seccomp_filters.hpp"

namespace quoll::mgr {

// A running container whose namespace another one joins.
struct JoinedContainer {
  int pid = 0;  // of its init process
  std::string namespace_path(const char* type) const { return "/proc/" + std::to_string(pid) + "/ns/" + type; }
};
struct JoinedContainers {
  std::optional<JoinedContainer> pid, ipc;
};

// The host name that the container has or will have.
std::string hostname_of(const Container& container);

// All functions block on the disk; from any thread. Errors: kResourceExhausted on a full disk, others as they say.

// Makes the kept directories of a new container. `paths.directory` must not be there.
void make_container_directories(const ContainerPaths& paths);

// What a run has of networks.
struct BundleNetwork {
  NetworkFileFacts files;
  std::string namespace_path;   // of the container whose network it shares; empty: none
  std::string files_directory;  // of that container, whose files it has as well; empty: its own
  std::string hostname;         // of that container
};

// Writes the bundle of a new run: config.json, overlay, and the empty directories that the monitor and the mount want.
// What an earlier run has left there is dropped first.
//
// `layers` are those of the image, the topmost first. With `filters`, a system call filter that is compiled already is
// used; a profile that `filters` does not know yet is returned.
// Errors: kInvalidArgument for what the configuration asks and the image or the host does not have (a user, a device).
std::optional<std::string> write_bundle(const Container& container, const std::vector<std::filesystem::path>& layers,
                                        const BundleNetwork& network, const JoinedContainers& joined,
                                        const SeccompFilters* filters);

// What the client is told beside the id of a new container: limits that this host does not have.
std::vector<std::string> creation_warnings(const Container& container);

// What this host has; read once.
const HostFacts& host_facts();

// The program for HostConfig.Init on this host; empty where there is none.
const std::string& init_program();

ContainerRecord record_of(const ContainerSnapshot& snapshot);
MonitoredContainer monitored(const Container& container);

// What the run that the bundle is of has of networks, for a daemon whose record does not know of it.
std::optional<ContainerNetwork> read_left_network(const std::string& bundle);

// Changes what networks have to say in the files of a container that runs.
void edit_container_files(const Container& container, const NetworkFileFacts& gone, const NetworkFileFacts& come);

// The processes that a bundle names, if its monitor still lives.
std::optional<MonitorProcesses> read_left_processes(const std::string& bundle);

}  // namespace quoll::mgr
