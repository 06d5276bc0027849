#include "mgr/container/spec_host_facts.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "mgr/container/container_config_parse.hpp"
#include "mgr/container/spec_defaults.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr int kNumberMax = 8192;  // of a CPU or memory node

struct NamedLimit {
  const char* name;
  int resource;
};

constexpr auto kLimits = std::to_array<NamedLimit>({
    {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
});

// What makes "ping" and listening on port 80 work for every user of a container: harmless where the network is its own.
constexpr auto kNetworkSysctls = std::to_array<std::pair<const char*, const char*>>({
    {"net.ipv4.ip_unprivileged_port_start", "0"},
    {"net.ipv4.ping_group_range", "0 2147483647"},
});

std::string read_text(const char* path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorClass::kInternal, std::string("cannot read ") + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

bool is_unified_cgroup() { return exists("/sys/fs/cgroup/cgroup.controllers"); }

// What processes of the host may use of `kind`; empty where no hierarchy says so.
std::string read_cpuset(const std::string& kind) {
  std::ifstream file("/sys/fs/cgroup/" +
                     (is_unified_cgroup() ? "cpuset." + kind + ".effective" : "cpuset/cpuset.effective_" + kind));
  std::string text;
  std::getline(file, text);
  return text;
}

std::optional<int> parse_digits(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && number >= 0 && number < kNumberMax ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<std::set<int>> parse_number_set(std::string_view text) {
  std::set<int> numbers;
  for (const std::string& part : split(text, ',')) {
    const std::string_view range = part;
    const size_t dash = range.find('-');
    const auto first = parse_digits(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_digits(range.substr(dash + 1));
    if (!first || !last || *first > *last) return std::nullopt;
    for (int number = *first; number <= *last; ++number) numbers.insert(number);
  }
  return numbers;
}

uint64_t status_field(const std::string& status, const std::string& name) {
  const std::string label = "\n" + name + ":";
  const size_t at = status.find(label);
  if (at == std::string::npos) return 0;
  return std::strtoull(status.c_str() + at + label.size(), nullptr, 16);
}

HostFacts read_host_facts() {
  HostFacts facts;
  const std::string status = read_text("/proc/self/status");
  facts.bounding_capabilities = status_field(status, "CapBnd");
  const uint64_t sys_resource = uint64_t{1} << *capability_bit("CAP_SYS_RESOURCE");
  facts.can_raise_limits = (status_field(status, "CapEff") & sys_resource) != 0;
  facts.oom_score_adj = std::atoi(read_text("/proc/self/oom_score_adj").c_str());
  for (const NamedLimit& limit : kLimits) {
    rlimit value{};
    if (::getrlimit(static_cast<__rlimit_resource>(limit.resource), &value) != 0) continue;
    facts.hard_limits[limit.name] = value.rlim_max == RLIM_INFINITY ? UINT64_MAX : value.rlim_max;
  }
  facts.has_swap_limit =
      is_unified_cgroup() ? exists("/proc/swaps") : exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
  facts.has_blkio_weight = is_unified_cgroup() || exists("/sys/fs/cgroup/blkio/blkio.weight") ||
                           exists("/sys/fs/cgroup/blkio/blkio.bfq.weight");
  facts.is_cgroup_v1 = !is_unified_cgroup();
  facts.has_realtime_cpu = exists("/sys/fs/cgroup/cpu/cpu.rt_runtime_us");
  facts.has_apparmor = exists("/sys/kernel/security/apparmor");
  facts.cpu_count = static_cast<int>(std::thread::hardware_concurrency());
  facts.cpuset_cpus = read_cpuset("cpus");
  facts.cpuset_mems = read_cpuset("mems");
  facts.has_cgroup_namespace = exists("/proc/self/ns/cgroup");
  for (const auto& [key, value] : kNetworkSysctls) {
    std::string path = std::string("/proc/sys/") + key;
    std::replace(path.begin() + 10, path.end(), '.', '/');
    // Where they are read-only, as in a container of others, the runtime could not set them either.
    if (::access(path.c_str(), W_OK) == 0) facts.default_sysctls[key] = value;
  }
  return facts;
}

}  // namespace quoll::mgr
