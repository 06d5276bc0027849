// The OCI runtime configuration (config.json) of a container.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "mgr/container/container_config.hpp"
#include "mgr/container/spec_files.hpp"
#include "mgr/container/spec_host_facts.hpp"
#include "mgr/container/user_lookup.hpp"

namespace quoll::mgr {

// What of a spec is not in the container's configuration.
struct SpecInput {
  std::string id;
  std::string rootfs;    // required: absolute path of the root tree, mounted by the time the runtime runs
  std::string cgroup;    // required: below the root of each hierarchy
  std::string hostname;  // see effective_hostname()
  // Namespaces that are there already and are joined, by type ("network", "pid", "ipc"): paths below /proc.
  std::map<std::string, std::string> namespaces;
  std::string shm;   // a directory of the host that becomes /dev/shm; empty: a new one
  std::string init;  // the program for HostConfig.Init, on the host; empty where this host has none
  ContainerFilePaths files;
  ContainerUser user;  // see lookup_user()
};

// The spec of a resolved `config`. What the host does not allow is left out or lowered, with a sentence in `warnings`,
// as far as the container can run without it.
//
// Thread: any; looks at the host's device nodes when `config` asks for some.
// Errors: kInvalidArgument for a device, a CPU or a memory node that is not there; kNotImplemented for a sysctl of one
//         network interface. They are here and not with the reading of a configuration, which an older daemon may have
//         stored.
nlohmann::json build_spec(const ContainerConfig& config, const SpecInput& input, const HostFacts& facts,
                          std::vector<std::string>& warnings);

// The capabilities in the bounding set of `host`'s processes: Docker's default set or, privileged, all, with what is
// added and dropped, as far as `bounding` has them. What is asked for and is not there makes a warning.
uint64_t bounding_capabilities(const HostConfig& host, uint64_t bounding, std::vector<std::string>& warnings);

// The `resources` that an update of a running container hands to the runtime: limits, and no device rules.
nlohmann::json spec_limits(const HostConfig& host, const HostFacts& facts, std::vector<std::string>& warnings);

// The parts of build_spec(), one file each.
nlohmann::json spec_process(const ContainerConfig& config, const SpecInput& input, const HostFacts& facts,
                            uint64_t capabilities, std::vector<std::string>& warnings);
nlohmann::json spec_mounts(const ContainerConfig& config, const SpecInput& input);
// Where HostConfig.Init's program is in the container, and whether it runs there: only as the first of its namespace.
inline constexpr const char* kInitInContainer = "/sbin/docker-init";
bool runs_init(const HostConfig& host);
// Major and minor number of a device node of the host. Errors: kInvalidArgument for what is none.
std::pair<unsigned, unsigned> device_number(const std::string& path);
nlohmann::json spec_linux(const ContainerConfig& config, const SpecInput& input, const HostFacts& facts,
                          uint64_t capabilities, std::vector<std::string>& warnings);
void add_devices(const HostConfig& host, nlohmann::json& section);

}  // namespace quoll::mgr
