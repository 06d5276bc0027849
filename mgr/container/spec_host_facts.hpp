// What the daemon's host and its own rights allow a container to be given.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace quoll::mgr {

struct HostFacts {
  uint64_t bounding_capabilities = 0;
  bool can_raise_limits = false;  // CAP_SYS_RESOURCE
  int oom_score_adj = 0;          // below which this process may not set a child's, unless it can raise limits
  std::map<std::string, uint64_t> hard_limits;  // by Docker's name ("nofile"); UINT64_MAX is unlimited
  bool has_swap_limit = true;
  bool has_blkio_weight = true;
  bool has_cgroup_namespace = true;
  bool is_cgroup_v1 = true;
  bool has_realtime_cpu = true;
  bool has_apparmor = false;
  int cpu_count = 0;  // 0: not known, as an empty set below is
  std::string cpuset_cpus;
  std::string cpuset_mems;
  std::map<std::string, std::string> default_sysctls;  // of a network namespace of the container's own
};

// Reads them from /proc and /sys. They do not change while the daemon runs.
//
// Thread: any; blocks on the kernel's file systems.
// Errors: kInternal if /proc cannot be read.
HostFacts read_host_facts();

// The number behind `name` ("CapBnd", hexadecimal) in the text of /proc/PID/status; 0 if it is not there.
uint64_t status_field(const std::string& status, const std::string& name);

// The numbers of "0-3,7"; nothing for what is not of this form.
std::optional<std::set<int>> parse_number_set(std::string_view text);

}  // namespace quoll::mgr
