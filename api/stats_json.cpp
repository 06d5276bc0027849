#include "api/stats_json.hpp"

#include <nlohmann/json.hpp>

namespace quoll::api {
namespace {

using nlohmann::json;

json cpu_json(const mgr::ResourceUsage& usage) {
  const mgr::CpuUsage& cpu = usage.cpu;
  json cpu_usage{
      {"total_usage", cpu.total_ns}, {"usage_in_kernelmode", cpu.kernel_ns}, {"usage_in_usermode", cpu.user_ns}};
  if (!cpu.per_cpu_ns.empty()) cpu_usage["percpu_usage"] = cpu.per_cpu_ns;
  json into{
      {"cpu_usage", std::move(cpu_usage)},
      {"throttling_data",
       {{"periods", cpu.periods}, {"throttled_periods", cpu.throttled_periods}, {"throttled_time", cpu.throttled_ns}}}};
  if (cpu.system_ns != 0) into["system_cpu_usage"] = cpu.system_ns;
  if (cpu.online_cpus != 0) into["online_cpus"] = cpu.online_cpus;
  return into;
}

json memory_json(const mgr::MemoryUsage& memory) {
  json into{{"usage", memory.usage}, {"limit", memory.limit}, {"stats", memory.details}};
  if (memory.max_usage) into["max_usage"] = *memory.max_usage;
  if (memory.failures) into["failcnt"] = *memory.failures;
  return into;
}

json io_json(const std::vector<mgr::BlockIo>& entries) {
  json list = json::array();
  for (const mgr::BlockIo& entry : entries) {
    list.push_back({{"major", entry.major}, {"minor", entry.minor}, {"op", entry.operation}, {"value", entry.value}});
  }
  return list;
}

json block_io_json(const mgr::ResourceUsage& usage) {
  json into;
  for (const char* name : {"io_queue_recursive", "io_service_time_recursive", "io_wait_time_recursive",
                           "io_merged_recursive", "io_time_recursive", "sectors_recursive"}) {
    into[name] = nullptr;
    if (usage.is_cgroup_v1) into[name] = json::array();
  }
  into["io_service_bytes_recursive"] = io_json(usage.io_bytes);
  into["io_serviced_recursive"] = nullptr;
  if (usage.is_cgroup_v1) into["io_serviced_recursive"] = io_json(usage.io_operations);
  return into;
}

json networks_json(const std::vector<mgr::NetworkUsage>& networks) {
  json into = json::object();
  for (const mgr::NetworkUsage& network : networks) {
    into[network.interface] = {{"rx_bytes", network.rx_bytes},   {"rx_packets", network.rx_packets},
                               {"rx_errors", network.rx_errors}, {"rx_dropped", network.rx_dropped},
                               {"tx_bytes", network.tx_bytes},   {"tx_packets", network.tx_packets},
                               {"tx_errors", network.tx_errors}, {"tx_dropped", network.tx_dropped}};
  }
  return into;
}

}  // namespace

json stats_json(const mgr::ContainerSnapshot& container, const std::optional<mgr::ResourceUsage>& before,
                const std::optional<mgr::ResourceUsage>& now) {
  json into{{"name", "/" + container.name},
            {"id", container.id},
            {"read", mgr::rfc3339_nano(now ? now->time_ns : 0)},
            {"preread", mgr::rfc3339_nano(before ? before->time_ns : 0)},
            {"num_procs", 0},
            {"storage_stats", json::object()},
            {"pids_stats", json::object()},
            {"memory_stats", json::object()},
            {"precpu_stats", cpu_json(before.value_or(mgr::ResourceUsage()))},
            {"cpu_stats", cpu_json(now.value_or(mgr::ResourceUsage()))},
            {"blkio_stats", block_io_json(now.value_or(mgr::ResourceUsage()))}};
  if (!now) return into;
  into["memory_stats"] = memory_json(now->memory);
  into["pids_stats"] = {{"current", now->pids}};
  if (now->pids_limit) into["pids_stats"]["limit"] = *now->pids_limit;
  const std::string& mode = container.config->host.network_mode;
  if (mode != "host" && mode != "none" && !now->networks.empty()) into["networks"] = networks_json(now->networks);
  return into;
}

}  // namespace quoll::api
