#include "mgr/container/spec.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>

#include "mgr/container/container_config_fields.hpp"
#include "mgr/container/seccomp_default.hpp"
#include "mgr/container/spec_defaults.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

constexpr const char* kOciVersion = "1.0.2";
constexpr int64_t kCpuPeriodUs = 100'000;
// No kernel has more processes, and crun 1.8 cannot write "max", which takes a limit away again.
constexpr int64_t kPidsOfAnyKernel = 4'194'304;

json namespaces(const HostConfig& host, const SpecInput& input, const HostFacts& facts) {
  json list = json::array({{{"type", "mount"}}});
  const auto add = [&](const char* type) {
    const auto joined = input.namespaces.find(type);
    json entry = {{"type", type}};
    if (joined != input.namespaces.end()) entry["path"] = joined->second;
    list.push_back(std::move(entry));
  };
  if (host.network_mode != "host") add("network");
  if (host.uts_mode != "host") add("uts");
  if (host.pid_mode != "host") add("pid");
  if (host.ipc_mode != "host") add("ipc");
  if (host.cgroupns_mode != "host" && facts.has_cgroup_namespace) add("cgroup");
  return list;
}

// Warnings are in Docker's words where it has them.
json memory(const HostConfig& host, const HostFacts& facts, std::vector<std::string>& warnings) {
  json limits = json::object();
  if (host.memory > 0) limits["limit"] = host.memory;
  if (host.memory_reservation > 0) limits["reservation"] = host.memory_reservation;
  if (facts.has_swap_limit) {
    if (host.memory_swap != 0) limits["swap"] = host.memory_swap;
  } else if (host.memory_swap > 0) {
    warnings.emplace_back(
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without "
        "swap.");
  }
  if (host.memory_swappiness) limits["swappiness"] = *host.memory_swappiness;
  if (host.oom_kill_disable) limits["disableOOMKiller"] = true;
  if (!facts.is_cgroup_v1 && limits.erase("swappiness") != 0) {
    warnings.emplace_back(
        "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness "
        "discarded.");
  }
  if (!facts.is_cgroup_v1 && limits.erase("disableOOMKiller") != 0) {
    warnings.emplace_back("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
  }
  if (limits.contains("disableOOMKiller") && host.memory == 0) {
    warnings.emplace_back(
        "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running "
        "out of resources.");
  }
  return limits;
}

// `what` is "cpus" or "mems"; `available`: empty where the host does not say.
void check_cpuset(const std::string& asked, const char* what, const std::string& available, const char* things) {
  const auto some = parse_number_set(asked);
  if (!some && !asked.empty()) refuse("Invalid value " + asked + " for cpuset " + what + ": invalid format: " + asked);
  const auto all = parse_number_set(available);
  if (!some || !all || std::ranges::includes(*all, *some)) return;
  refuse("Requested " + std::string(things) + " are not available - requested " + asked + ", available: " + available);
}

void check_cpus(const HostConfig& host, const HostFacts& facts) {
  const std::string count = std::to_string(facts.cpu_count);
  if (facts.cpu_count > 0 && host.nano_cpus > int64_t{facts.cpu_count} * 1'000'000'000) {
    refuse("Range of CPUs is from 0.01 to " + count + ".00, as there are only " + count + " CPUs available");
  }
  check_cpuset(host.cpuset_cpus, "cpus", facts.cpuset_cpus, "CPUs");
  check_cpuset(host.cpuset_mems, "mems", facts.cpuset_mems, "memory nodes");
}

json cpu(const HostConfig& host, const HostFacts& facts) {
  check_cpus(host, facts);
  json limits = json::object();
  if (host.cpu_shares > 0) limits["shares"] = host.cpu_shares;
  if (host.nano_cpus > 0) {
    limits["period"] = kCpuPeriodUs;
    limits["quota"] = static_cast<int64_t>(static_cast<__int128>(host.nano_cpus) * kCpuPeriodUs / 1'000'000'000);
  }
  if (host.cpu_period > 0) limits["period"] = host.cpu_period;
  if (host.cpu_quota != 0) limits["quota"] = host.cpu_quota;
  if (host.cpu_realtime_period != 0) limits["realtimePeriod"] = host.cpu_realtime_period;
  if (host.cpu_realtime_runtime != 0) limits["realtimeRuntime"] = host.cpu_realtime_runtime;
  const bool realtime = limits.contains("realtimePeriod") || limits.contains("realtimeRuntime");
  if (realtime && !facts.has_realtime_cpu) {
    throw Error(ErrorClass::kInvalidArgument, "kernel does not support CPU real-time scheduler");
  }
  if (!host.cpuset_cpus.empty()) limits["cpus"] = host.cpuset_cpus;
  if (!host.cpuset_mems.empty()) limits["mems"] = host.cpuset_mems;
  return limits;
}

json block_io(const HostConfig& host, const HostFacts& facts, std::vector<std::string>& warnings) {
  json limits = json::object();
  const auto add = [&limits](const char* name, const char* unit, const std::vector<DeviceLimitConfig>& devices) {
    for (const DeviceLimitConfig& device : devices) {
      const auto [major, minor] = device_number(device.path);
      limits[name].push_back({{"major", major}, {"minor", minor}, {unit, device.value}});
    }
  };
  if (host.blkio_weight > 0) limits["weight"] = host.blkio_weight;
  add("weightDevice", "weight", host.blkio_weight_device);
  if (!facts.has_blkio_weight && (limits.erase("weight") | limits.erase("weightDevice")) != 0) {
    warnings.emplace_back(
        "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.");
  }
  add("throttleReadBpsDevice", "rate", host.blkio_read_bps);
  add("throttleWriteBpsDevice", "rate", host.blkio_write_bps);
  add("throttleReadIOPSDevice", "rate", host.blkio_read_iops);
  add("throttleWriteIOPSDevice", "rate", host.blkio_write_iops);
  return limits;
}

// "net.ipv4.conf.eth0.log_martians": the runtime sets a container's before it has its interfaces.
bool is_sysctl_of_an_interface(std::string_view key) {
  constexpr std::size_t kPartsBefore = 3;  // net, a family, a kind
  for (std::size_t part = 0; part < kPartsBefore; ++part) {
    const std::size_t dot = key.find('.');
    if (dot == std::string_view::npos) return false;
    key.remove_prefix(dot + 1);
  }
  return key.starts_with("eth") && key.size() > 3 && std::isdigit(static_cast<unsigned char>(key[3])) != 0;
}

json sysctls(const ContainerConfig& config, const HostFacts& facts) {
  json all = json::object();
  const std::string& mode = config.host.network_mode;
  if (mode != "host" && !mode.starts_with("container:")) all = facts.default_sysctls;
  if (!config.domainname.empty() && config.host.uts_mode != "host") all["kernel.domainname"] = config.domainname;
  for (const auto& [key, value] : config.host.sysctls) {
    if (is_sysctl_of_an_interface(key)) {
      throw Error(ErrorClass::kNotImplemented,
                  "HostConfig.Sysctls: \"" + key + "\" is of one network interface, which is not supported");
    }
    all[key] = value;
  }
  return all;
}

void add_seccomp(const HostConfig& host, uint64_t capabilities, json& into) {
  if (host.seccomp == "unconfined" || (host.privileged && !host.seccomp)) return;
  const std::vector<std::string> names = capability_names(capabilities);
  const std::set<std::string> set(names.begin(), names.end());
  into["seccomp"] = host.seccomp ? seccomp_from_profile(json::parse(*host.seccomp), set) : default_seccomp(set);
}

// A mount whose later mounts shall reach the container, or the host, needs a root that lets them through.
void add_root_propagation(const ContainerConfig& config, json& into) {
  for (const MountConfig& mount : config.mounts) {
    if (mount.propagation.ends_with("shared")) into["rootfsPropagation"] = "shared";
    if (mount.propagation.ends_with("slave") && !into.contains("rootfsPropagation"))
      into["rootfsPropagation"] = "rslave";
  }
}

}  // namespace

json spec_limits(const HostConfig& host, const HostFacts& facts, std::vector<std::string>& warnings) {
  json all = json::object();
  if (json limits = memory(host, facts, warnings); !limits.empty()) all["memory"] = std::move(limits);
  if (json limits = cpu(host, facts); !limits.empty()) all["cpu"] = std::move(limits);
  if (host.pids_limit != 0) all["pids"] = {{"limit", host.pids_limit > 0 ? host.pids_limit : kPidsOfAnyKernel}};
  if (json limits = block_io(host, facts, warnings); !limits.empty()) all["blockIO"] = std::move(limits);
  return all;
}

uint64_t bounding_capabilities(const HostConfig& host, uint64_t bounding, std::vector<std::string>& warnings) {
  const auto bits_of = [](const std::vector<std::string>& names) {
    uint64_t bits = 0;
    for (const std::string& name : names)
      bits |= name == "ALL" ? all_capabilities() : uint64_t{1} << *capability_bit(name);
    return bits;
  };
  const auto has_all = [](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), "ALL") != names.end();
  };
  uint64_t wanted = default_capabilities();
  // "ALL" is the widest start on one side and the narrowest on the other; what is named beside it still counts.
  if (host.privileged) {
    wanted = all_capabilities();
  } else if (has_all(host.cap_add)) {
    wanted = has_all(host.cap_drop) ? 0 : all_capabilities() & ~bits_of(host.cap_drop);
  } else if (has_all(host.cap_drop)) {
    wanted = bits_of(host.cap_add);
  } else {
    wanted = (wanted & ~bits_of(host.cap_drop)) | bits_of(host.cap_add);
  }
  for (const std::string& name : capability_names(wanted & ~bounding)) {
    warnings.push_back("capability " + name + " is not this daemon's to give: it was left out");
  }
  return wanted & bounding;
}

json spec_linux(const ContainerConfig& config, const SpecInput& input, const HostFacts& facts, uint64_t capabilities,
                std::vector<std::string>& warnings) {
  const HostConfig& host = config.host;
  json section = {
      {"namespaces", namespaces(host, input, facts)},
      {"cgroupsPath", input.cgroup},
      {"resources", spec_limits(host, facts, warnings)},
  };
  if (host.pids_limit < 0) section["resources"].erase("pids");  // a new cgroup has no limit
  section["resources"]["devices"] = default_device_rules();
  if (json values = sysctls(config, facts); !values.empty()) section["sysctl"] = std::move(values);
  const std::vector<std::string> none;
  section["maskedPaths"] = host.masked_paths.value_or(host.privileged ? none : default_masked_paths());
  section["readonlyPaths"] = host.readonly_paths.value_or(host.privileged ? none : default_readonly_paths());
  add_seccomp(host, capabilities, section);
  add_root_propagation(config, section);
  add_devices(host, section);
  return section;
}

json build_spec(const ContainerConfig& config, const SpecInput& input, const HostFacts& facts,
                std::vector<std::string>& warnings) {
  const uint64_t capabilities = bounding_capabilities(config.host, facts.bounding_capabilities, warnings);
  json spec = {
      {"ociVersion", kOciVersion},
      {"process", spec_process(config, input, facts, capabilities, warnings)},
      {"root", {{"path", input.rootfs}, {"readonly", config.host.readonly_rootfs}}},
      {"mounts", spec_mounts(config, input)},
      {"linux", spec_linux(config, input, facts, capabilities, warnings)},
  };
  if (config.host.uts_mode != "host") spec["hostname"] = input.hostname;
  if (!config.host.annotations.empty()) spec["annotations"] = config.host.annotations;
  return spec;
}

}  // namespace quoll::mgr
