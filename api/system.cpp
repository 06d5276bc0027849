// /_ping, /version, /info
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <tuple>

#include "api/filters.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/old_fields.hpp"
#include "api/program_versions.hpp"
#include "mgr/container/container_bundle.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/event/event_bus.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/registry/registry_service.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

json registry_json(const mgr::RegistryOptions& options) {
  json networks{"::1/128", "127.0.0.0/8"};
  json indexes{
      {"docker.io", {{"Name", "docker.io"}, {"Mirrors", options.mirrors}, {"Secure", true}, {"Official", true}}}};
  for (const std::string& name : options.insecure_registries) {
    if (name.find('/') != std::string::npos) {
      networks.push_back(name);
    } else {
      indexes[name] = {{"Name", name}, {"Mirrors", json::array()}, {"Secure", false}, {"Official", false}};
    }
  }
  return {{"InsecureRegistryCIDRs", std::move(networks)},
          {"IndexConfigs", std::move(indexes)},
          {"Mirrors", options.mirrors}};
}

utsname host_names() {
  utsname names{};
  ::uname(&names);
  return names;
}

// PRETTY_NAME or VERSION_ID of /etc/os-release.
std::string os_release(std::string_view key) {
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(std::string(key) + "=")) continue;
    std::string value = line.substr(key.size() + 1);
    if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return "";
}

// Go's word for the machine, as /version has it; /info has the kernel's.
std::string go_architecture(const std::string& machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return machine;
}

struct ContainerCounts {
  int running = 0;
  int paused = 0;
  int stopped = 0;
};

ContainerCounts count_containers(const Api& api) {
  ContainerCounts counts;
  for (const auto& container : api.containers.list()) {
    if (container.state.status == mgr::ContainerStatus::kPaused) {
      ++counts.paused;
    } else if (mgr::is_running(container.state.status)) {
      ++counts.running;
    } else {
      ++counts.stopped;
    }
  }
  return counts;
}

bool exists(const char* path) { return ::access(path, F_OK) == 0; }

bool reads_one(const char* path) {
  char value = '0';
  std::ifstream(path) >> value;
  return value == '1';
}

std::size_t count_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

json info_json(const Api& api) {
  const ContainerCounts counts = count_containers(api);
  const utsname names = host_names();
  struct sysinfo memory{};
  ::sysinfo(&memory);
  const bool unified = exists("/sys/fs/cgroup/cgroup.controllers");
  const json runtime{{"path", api.facts.runtime_path}};
  const mgr::ProxySettings proxies = api.registry.options().proxies.shown();
  return {
      {"ID", api.facts.id},
      {"Containers", counts.running + counts.paused + counts.stopped},
      {"ContainersRunning", counts.running},
      {"ContainersPaused", counts.paused},
      {"ContainersStopped", counts.stopped},
      {"Images", api.images.list().size()},
      {"Driver", "overlay2"},
      {"DriverStatus", json::array({json::array({"Root filesystems", "mounted in each container's own namespace"})})},
      {"DockerRootDir", api.facts.root},
      {"Plugins",
       {{"Volume", json::array({"local"})},
        {"Network", json::array({"bridge", "host", "null"})},
        {"Authorization", nullptr},
        {"Log", json::array({"json-file", "none"})}}},
      {"MemoryLimit", unified || exists("/sys/fs/cgroup/memory")},
      {"SwapLimit", unified || exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")},
      {"CpuCfsPeriod", unified || exists("/sys/fs/cgroup/cpu/cpu.cfs_period_us")},
      {"CpuCfsQuota", unified || exists("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")},
      {"CPUShares", unified || exists("/sys/fs/cgroup/cpu/cpu.shares")},
      {"CPUSet", unified || exists("/sys/fs/cgroup/cpuset")},
      {"PidsLimit", unified || exists("/sys/fs/cgroup/pids")},
      {"OomKillDisable", !unified && exists("/sys/fs/cgroup/memory/memory.oom_control")},
      {"IPv4Forwarding", reads_one("/proc/sys/net/ipv4/ip_forward")},
      {"Debug", true},
      {"NFd", count_descriptors()},
      {"NGoroutines", api.task_count()},
      {"SystemTime", mgr::rfc3339_nano(mgr::wall_now_ns())},
      {"LoggingDriver", "json-file"},
      {"CgroupDriver", "cgroupfs"},
      {"CgroupVersion", unified ? "2" : "1"},
      {"NEventsListener", api.events.follower_count()},
      {"KernelVersion", names.release},
      {"OperatingSystem", os_release("PRETTY_NAME")},
      {"OSVersion", os_release("VERSION_ID")},
      {"OSType", "linux"},
      {"Architecture", names.machine},
      {"NCPU", std::thread::hardware_concurrency()},
      {"MemTotal", static_cast<std::uint64_t>(memory.totalram) * memory.mem_unit},
      {"IndexServerAddress", "https://index.docker.io/v1/"},
      {"RegistryConfig", registry_json(api.registry.options())},
      {"GenericResources", nullptr},
      {"HttpProxy", proxies.http_proxy},
      {"HttpsProxy", proxies.https_proxy},
      {"NoProxy", proxies.no_proxy},
      {"Name", names.nodename},
      {"Labels", json::array()},
      {"ExperimentalBuild", false},
      {"ServerVersion", QUOLL_VERSION},
      {"Runtimes", {{api.facts.runtime_name, runtime}}},
      {"DefaultRuntime", api.facts.runtime_name},
      {"Swarm",
       {{"NodeID", ""},
        {"NodeAddr", ""},
        {"LocalNodeState", "inactive"},
        {"ControlAvailable", false},
        {"Error", ""},
        {"RemoteManagers", nullptr}}},
      {"LiveRestoreEnabled", api.live_restore.load()},
      {"Isolation", ""},
      {"InitBinary", mgr::init_program().empty() ? "" : "docker-init"},
      {"ContainerdCommit", {{"ID", "N/A"}}},  // there is none
      {"FirewallBackend", {{"Driver", "nftables"}}},
      {"CDISpecDirs", json::array()},
      {"SecurityOptions", json::array({"name=seccomp,profile=builtin"})},
      {"Warnings", api.facts.warnings}};
}

// The container's runtime, and the program for HostConfig.Init.
Task<std::tuple<std::optional<ProgramVersion>, std::optional<ProgramVersion>>> outside_programs(const Api& api) {
  return task::when_all(program_version(api.facts.runtime_path), program_version(mgr::init_program()));
}

// One of /version; none for a program that does not tell its version.
void add_component(json& components, const std::string& path, const std::optional<ProgramVersion>& program) {
  if (!program) return;
  components.push_back({{"Name", path.substr(path.rfind('/') + 1)},
                        {"Version", program->version},
                        {"Details", {{"GitCommit", program->commit}}}});
}

}  // namespace

Task<void> ping(Api&, Request&, Response& response) {
  response.set_header("Cache-Control", "no-cache, no-store, must-revalidate");
  response.set_header("Pragma", "no-cache");
  response.set_header("Builder-Version", "1");  // the classic one
  response.set_header("Swarm", "inactive");
  co_await response.send("OK", "text/plain; charset=utf-8");
}

Task<void> version(Api& api, Request&, Response& response) {
  const utsname names = host_names();
  const std::string architecture = go_architecture(names.machine);
  const json details{{"ApiVersion", kApiVersion},
                     {"MinAPIVersion", kApiVersionMin},
                     {"Arch", architecture},
                     {"Os", "linux"},
                     {"KernelVersion", names.release},
                     {"GitCommit", ""},
                     {"GoVersion", ""},
                     {"BuildTime", ""},
                     {"Experimental", "false"}};
  json components = json::array({{{"Name", "Engine"}, {"Version", QUOLL_VERSION}, {"Details", details}}});
  const auto [runtime, init] = co_await outside_programs(api);
  add_component(components, api.facts.runtime_path, runtime);
  add_component(components, mgr::init_program(), init);
  co_await send_json(response, 200,
                     {{"Platform", {{"Name", "Quoll"}}},
                      {"Components", std::move(components)},
                      {"Version", QUOLL_VERSION},
                      {"ApiVersion", kApiVersion},
                      {"MinAPIVersion", kApiVersionMin},
                      {"GitCommit", ""},
                      {"GoVersion", ""},
                      {"Os", "linux"},
                      {"Arch", architecture},
                      {"KernelVersion", names.release},
                      {"Experimental", false},
                      {"BuildTime", ""}});
}

Task<void> info(Api& api, Request& request, Response& response) {
  json answer = co_await task::blocking([&api] { return info_json(api); });
  const auto [runtime, init] = co_await outside_programs(api);
  answer["RuncCommit"] = {{"ID", commit_of(runtime)}};
  answer["InitCommit"] = {{"ID", commit_of(init)}};
  add_old_info_fields(request, answer);
  co_await send_json(response, 200, answer);
}

}  // namespace quoll::api
