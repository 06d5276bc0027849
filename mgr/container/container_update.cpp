#include "mgr/container/container_update.hpp"

#include "mgr/container/container_config_parse.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

// Limits that the runtime changes while the container runs.
constexpr auto kLimits =
    std::to_array<std::string_view>({"CpuShares", "Memory", "BlkioWeight", "CpuPeriod", "CpuQuota", "CpusetCpus",
                                     "CpusetMems", "MemoryReservation", "MemorySwap", "NanoCpus", "PidsLimit"});

void check_against_present(const HostConfig& host, const json& limits) {
  JsonFields fields(limits, "");
  const auto number = [&fields](std::string_view name) { return fields.number(name); };
  if (number("NanoCpus") > 0 && (host.cpu_quota > 0 || host.cpu_period > 0)) {
    const char* const other = host.cpu_quota > 0 ? "Quota" : "Period";
    throw Error(ErrorClass::kInvalidArgument, std::string("Conflicting options: Nano CPUs cannot be updated as CPU ") +
                                                  other + " has already been set");
  }
  for (const char* name : {"Quota", "Period"}) {
    if (number((std::string("Cpu") + name).c_str()) > 0 && host.nano_cpus > 0) {
      throw Error(ErrorClass::kInvalidArgument, std::string("Conflicting options: CPU ") + name +
                                                    " cannot be updated as NanoCPUs has already been set");
    }
  }
  if (number("Memory") > 0 && number("MemorySwap") == 0 && host.memory_swap > 0 &&
      number("Memory") > host.memory_swap) {
    throw Error(ErrorClass::kInvalidArgument,
                "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same "
                "time");
  }
}

}  // namespace

ContainerUpdate parse_container_update(const json& body) {
  ContainerUpdate update{body, false, {}};
  // Of processes 0 is a wish too: as many as there may be.
  if (const auto pids = update.body.find("PidsLimit"); pids != update.body.end() && pids->is_number()) {
    if (pids->get<double>() <= 0) *pids = -1;
  }
  JsonFields fields(update.body, "");
  if (const json* policy = fields.value("RestartPolicy"); policy != nullptr && !is_default_value(*policy)) {
    update.restart = parse_restart_policy(fields);
  }
  for (const std::string_view name : kLimits) {
    const json* value = fields.value(name);
    update.limits = update.limits || (value != nullptr && !is_default_value(*value));
  }
  // Clients send -1 for "as it is", and know a field that no kernel has any more.
  if (const auto swappiness = fields.optional_number("MemorySwappiness"); swappiness && *swappiness != -1) {
    refuse_unsupported("MemorySwappiness");
  }
  fields.number("KernelMemory");
  fields.refuse_the_rest();
  return update;
}

void apply_update(HostConfig& host, const ContainerUpdate& update) {
  if (update.restart) {
    if (host.auto_remove && update.restart->when != RestartPolicy::When::kNo) {
      throw Error(ErrorClass::kConflict,
                  "Restart policy cannot be updated because AutoRemove is enabled for the container");
    }
    host.restart = *update.restart;
  }
  if (!update.limits) return;
  check_against_present(host, update.body);
  // What is there and what is asked for, checked together as if it were asked for at creation.
  json merged = host_config_inspect_json(host);
  json wanted = json::object();
  for (const std::string_view name : kLimits) {
    const std::string key(name);
    const auto asked = update.body.find(key);
    const bool given = asked != update.body.end() && !is_default_value(*asked);
    if (given || merged.contains(key)) wanted[key] = given ? *asked : merged[key];
  }
  JsonFields fields(wanted, "");
  HostConfig limits;
  parse_resources(fields, limits);
  host.cpu_shares = limits.cpu_shares;
  host.nano_cpus = limits.nano_cpus;
  host.cpu_period = limits.cpu_period;
  host.cpu_quota = limits.cpu_quota;
  host.cpuset_cpus = limits.cpuset_cpus;
  host.cpuset_mems = limits.cpuset_mems;
  host.memory = limits.memory;
  host.memory_reservation = limits.memory_reservation;
  host.memory_swap = limits.memory_swap;
  host.pids_limit = limits.pids_limit;
  host.blkio_weight = limits.blkio_weight;
}

}  // namespace quoll::mgr
