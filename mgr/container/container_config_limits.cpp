// What HostConfig says of security and resources.
#include <set>

#include "mgr/container/container_config_parse.hpp"
#include "mgr/container/seccomp_default.hpp"
#include "mgr/container/spec_defaults.hpp"
#include "mgr/letter_case.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr int64_t kMemoryMin = 6 * 1024 * 1024;

constexpr auto kUlimitNames =
    std::to_array<std::string_view>({"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
                                     "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"});

// The kernel parameters that a namespace has for itself, beside all of net. and fs.mqueue.
constexpr auto kIpcSysctls =
    std::to_array<std::string_view>({"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
                                     "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"});

std::vector<std::string> parse_capabilities(JsonFields& host, std::string_view name) {
  std::vector<std::string> names = host.words(name).value_or(std::vector<std::string>());
  for (std::string& capability : names) {
    const std::string written = capability;
    capability = upper(written);
    if (capability == "ALL") continue;
    if (!capability.starts_with("CAP_")) capability.insert(0, "CAP_");
    if (!capability_bit(capability)) {
      throw Error(ErrorClass::kInvalidArgument,
                  "invalid " + std::string(name) + ": unknown capability: \"" + written + "\"");
    }
  }
  return names;
}

void apply_security_option(const std::string& option, const std::string& field, HostConfig& into) {
  const size_t separator = option.find_first_of("=:");
  const std::string key = option.substr(0, separator);
  const std::string value = separator == std::string::npos ? "" : option.substr(separator + 1);
  if (key == "no-new-privileges" && (separator == std::string::npos || value == "true" || value == "false")) {
    into.no_new_privileges = value != "false";
  } else if (key == "seccomp" && (value == "unconfined" || value == "builtin")) {
    into.seccomp.reset();
    if (value == "unconfined") into.seccomp = value;
  } else if (key == "seccomp") {
    const nlohmann::json profile = nlohmann::json::parse(value, nullptr, false);
    if (profile.is_discarded()) refuse_value(field, "the seccomp profile is no JSON");
    seccomp_from_profile(profile, {});  // only to find now what would fail at start
    into.seccomp = value;
  } else if (key == "apparmor" && value != "unconfined") {
    into.apparmor = value;
  } else if (key == "apparmor" || key == "label") {
    // Neither is applied unless it is asked for, so that switching it off is done already.
    if (value != "unconfined" && value != "disable") refuse_unsupported(field + " \"" + option + "\"");
  } else {
    refuse("invalid --security-opt 2: \"" + option + "\"");
  }
}

// Whether `key` is of a namespace that the container has for itself: any other would change the host.
bool is_private_sysctl(const std::string& key, const HostConfig& host) {
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; };
  if (!std::all_of(key.begin(), key.end(), is_plain) || key.find("..") != std::string::npos || key.ends_with('.'))
    return false;
  if (key.starts_with("net.")) return host.network_mode != "host";
  const bool is_ipc =
      key.starts_with("fs.mqueue.") || std::find(kIpcSysctls.begin(), kIpcSysctls.end(), key) != kIpcSysctls.end();
  return is_ipc && host.ipc_mode != "host";
}

UlimitConfig parse_ulimit(const nlohmann::json& json) {
  JsonFields fields(json, "HostConfig.Ulimits.");
  UlimitConfig limit{fields.text("Name"), fields.number("Soft"), fields.number("Hard")};
  fields.refuse_the_rest();
  if (std::find(kUlimitNames.begin(), kUlimitNames.end(), limit.name) == kUlimitNames.end()) {
    refuse("invalid ulimit type: " + limit.name);
  }
  if (limit.soft < -1 || limit.hard < -1)
    refuse_value("HostConfig.Ulimits", "a limit must be -1 or more: " + limit.name);
  if (limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard)) {
    refuse("ulimit soft limit must be less than or equal to hard limit: " + std::to_string(limit.soft) + " > " +
           std::to_string(limit.hard));
  }
  return limit;
}

void check_memory(const HostConfig& host) {
  const int64_t memory = host.memory;
  if (memory < 0 || host.memory_reservation < 0 || host.memory_swap < -1) {
    refuse_value("HostConfig.Memory", "a limit must not be negative");
  }
  if (memory > 0 && memory < kMemoryMin) refuse("Minimum memory limit allowed is 6MB");
  if (memory == 0 && host.memory_swap > 0) {
    refuse("You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (host.memory_swap > 0 && host.memory_swap < memory) {
    refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (host.memory_reservation > 0 && host.memory_reservation < kMemoryMin) {
    refuse("Minimum memory reservation allowed is 6MB");
  }
  if (memory > 0 && host.memory_reservation > memory) {
    refuse("Minimum memory limit can not be less than memory reservation limit, see usage");
  }
}

void check_cpu(const HostConfig& host) {
  if (host.nano_cpus > 0 && (host.cpu_period > 0 || host.cpu_quota > 0)) {
    const std::string_view other = host.cpu_period > 0 ? "Period" : "Quota";
    refuse("Conflicting options: Nano CPUs and CPU " + std::string(other) + " cannot both be set");
  }
  // Below this the quota of one period is under the kernel's minimum of one millisecond. What is too much depends on
  // the host: see build_spec().
  if (host.nano_cpus < 0 || (host.nano_cpus > 0 && host.nano_cpus < 10'000'000)) {
    refuse("Range of CPUs is from 0.01");
  }
  if (host.cpu_period != 0 && (host.cpu_period < 1000 || host.cpu_period > 1'000'000)) {
    refuse("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  }
  if (host.cpu_quota > 0 && host.cpu_quota < 1000) {
    refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  }
  if (host.cpu_shares < 0) refuse_value("HostConfig.CpuShares", "must not be negative");
}

}  // namespace

// REQUIRES: `into` has its namespace modes already.
void parse_security(JsonFields& host, HostConfig& into) {
  into.cap_add = parse_capabilities(host, "CapAdd");
  into.cap_drop = parse_capabilities(host, "CapDrop");
  into.privileged = host.flag("Privileged");
  into.readonly_rootfs = host.flag("ReadonlyRootfs");
  into.security_opt = host.texts("SecurityOpt");
  for (const std::string& option : into.security_opt) {
    apply_security_option(option, host.full_name("SecurityOpt"), into);
  }
  into.masked_paths = host.optional_texts("MaskedPaths");
  into.readonly_paths = host.optional_texts("ReadonlyPaths");
  into.sysctls = host.text_map("Sysctls");
  for (const auto& [key, value] : into.sysctls) {
    if (!is_private_sysctl(key, into)) {
      refuse_value(host.full_name("Sysctls"),
                   "\"" + key + "\" is not of a namespace that the container has for itself");
    }
  }
}

void parse_resources(JsonFields& host, HostConfig& into) {
  into.shm_size = host.number("ShmSize");
  if (into.shm_size < 0) refuse("SHM size can not be less than 0");
  into.memory = host.number("Memory");
  into.memory_reservation = host.number("MemoryReservation");
  into.memory_swap = host.number("MemorySwap");
  check_memory(into);
  // Without a word on swap a limited container may use as much of it again, as Docker has it.
  if (into.memory > 0 && into.memory_swap == 0 && into.memory <= INT64_MAX / 2) into.memory_swap = into.memory * 2;
  into.cpu_shares = host.number("CpuShares");
  into.nano_cpus = host.number("NanoCpus");
  into.cpu_period = host.number("CpuPeriod");
  into.cpu_quota = host.number("CpuQuota");
  check_cpu(into);
  into.cpuset_cpus = host.text("CpusetCpus");
  into.cpuset_mems = host.text("CpusetMems");
  into.pids_limit = host.number("PidsLimit");
  if (into.pids_limit < 0) into.pids_limit = -1;  // whatever is below 0 is "unlimited", as clients have always had it
  const int64_t weight = host.number("BlkioWeight");
  if (weight != 0 && (weight < 10 || weight > 1000)) refuse("Range of blkio weight is from 10 to 1000");
  into.blkio_weight = static_cast<int>(weight);
  const int64_t score = host.number("OomScoreAdj");
  if (score < -1000 || score > 1000) {
    refuse("Invalid value " + std::to_string(score) + ", range for oom score adj is [-1000, 1000]");
  }
  into.oom_score_adj = static_cast<int>(score);
  for (const nlohmann::json& json : host.list("Ulimits")) into.ulimits.push_back(parse_ulimit(json));
  parse_devices(host, into);
  into.cpu_realtime_period = host.number("CpuRealtimePeriod");
  into.cpu_realtime_runtime = host.number("CpuRealtimeRuntime");
  // Docker's client sends -1 for "not asked for"; 0 is a real swappiness.
  into.memory_swappiness = host.optional_number("MemorySwappiness");
  if (into.memory_swappiness == -1) into.memory_swappiness.reset();
  if (into.memory_swappiness && (*into.memory_swappiness < 0 || *into.memory_swappiness > 100)) {
    refuse("Invalid value: " + std::to_string(*into.memory_swappiness) + ", valid memory swappiness range is 0-100");
  }
  into.oom_kill_disable = host.flag("OomKillDisable");
}

}  // namespace quoll::mgr
