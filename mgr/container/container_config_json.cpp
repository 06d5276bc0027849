// ContainerConfig as JSON: for inspect, with every field that Docker shows, and for the store.
#include <nlohmann/json.hpp>

#include "mgr/container/container_config.hpp"
#include "mgr/container/container_config_parse.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

json null_if_empty(const std::vector<std::string>& list) { return list.empty() ? json() : json(list); }

json key_set(const std::vector<std::string>& keys) {
  json set = json::object();
  for (const std::string& key : keys) set[key] = json::object();
  return set;
}

template <typename T>
json null_or(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

json device_limits_json(const std::vector<DeviceLimitConfig>& limits, const char* unit) {
  json list = json::array();
  for (const DeviceLimitConfig& limit : limits) list.push_back({{"Path", limit.path}, {unit, limit.value}});
  return list;
}

json health_json(const HealthConfig& health) {
  json into = json::object();
  if (!health.test.empty()) into["Test"] = health.test;
  if (health.interval_ns != 0) into["Interval"] = health.interval_ns;
  if (health.timeout_ns != 0) into["Timeout"] = health.timeout_ns;
  if (health.start_period_ns != 0) into["StartPeriod"] = health.start_period_ns;
  if (health.start_interval_ns != 0) into["StartInterval"] = health.start_interval_ns;
  if (health.retries != 0) into["Retries"] = health.retries;
  return into;
}

json bind_json(const MountConfig& mount) {
  if (mount.source.empty()) return mount.target;  // an anonymous volume
  return mount.source + ":" + mount.target + (mount.mode.empty() ? "" : ":" + mount.mode);
}

json tmpfs_options_json(const MountConfig& mount) {
  json options = json::object();
  if (mount.tmpfs_size > 0) options["SizeBytes"] = mount.tmpfs_size;
  if (mount.tmpfs_mode > 0) options["Mode"] = mount.tmpfs_mode;
  for (const std::string& option : mount.tmpfs_options) {
    const size_t equals = option.find('=');
    json words = json::array({option.substr(0, equals)});
    if (equals != std::string::npos) words.push_back(option.substr(equals + 1));
    options["Options"].push_back(std::move(words));
  }
  return options;
}

json volume_mount_json(const MountConfig& mount) {
  json volume = {{"Type", "volume"}, {"Target", mount.target}};
  if (!mount.source.empty()) volume["Source"] = mount.source;
  if (mount.read_only) volume["ReadOnly"] = true;
  json options = json::object();
  if (mount.volume_no_copy) options["NoCopy"] = true;
  if (!mount.volume_labels.empty()) options["Labels"] = mount.volume_labels;
  if (!mount.volume_subpath.empty()) options["Subpath"] = mount.volume_subpath;
  if (!mount.volume_driver.empty() || !mount.volume_options.empty()) {
    options["DriverConfig"] = {{"Name", mount.volume_driver}};
    if (!mount.volume_options.empty()) options["DriverConfig"]["Options"] = mount.volume_options;
  }
  if (!options.empty()) volume["VolumeOptions"] = options;
  return volume;
}

json mount_json(const MountConfig& mount) {
  if (mount.kind == MountConfig::Kind::kTmpfs) {
    json tmpfs = {{"Type", "tmpfs"}, {"Target", mount.target}};
    if (mount.read_only) tmpfs["ReadOnly"] = true;
    const json options = tmpfs_options_json(mount);
    if (!options.empty()) tmpfs["TmpfsOptions"] = options;
    return tmpfs;
  }
  if (mount.kind == MountConfig::Kind::kVolume) return volume_mount_json(mount);
  json bind = {{"Type", "bind"}, {"Source", mount.source}, {"Target", mount.target}};
  if (mount.read_only) bind["ReadOnly"] = true;
  json options = json::object();
  if (!mount.propagation.empty()) options["Propagation"] = mount.propagation;
  if (!mount.recursive) options["NonRecursive"] = true;
  if (!mount.read_only_recursive) options["ReadOnlyNonRecursive"] = true;
  if (mount.create_source) options["CreateMountpoint"] = true;
  if (!options.empty()) bind["BindOptions"] = options;
  return bind;
}

void add_mounts(const HostConfig& host, json& into) {
  json binds, mounts, tmpfs;
  for (const MountConfig& mount : host.mounts) {
    switch (mount.origin) {
      case MountConfig::Origin::kBinds:
        binds.push_back(bind_json(mount));
        break;
      case MountConfig::Origin::kMounts:
        mounts.push_back(mount_json(mount));
        break;
      case MountConfig::Origin::kTmpfs:
        tmpfs[mount.target] = mount.mode;
        break;
      case MountConfig::Origin::kVolumes:
      case MountConfig::Origin::kVolumesFrom:
        break;  // not of HostConfig's mounts
    }
  }
  into["Binds"] = std::move(binds);
  if (!mounts.is_null()) into["Mounts"] = std::move(mounts);
  if (!tmpfs.is_null()) into["Tmpfs"] = std::move(tmpfs);
}

void add_limits(const HostConfig& host, json& into) {
  into["CpuShares"] = host.cpu_shares;
  into["NanoCpus"] = host.nano_cpus;
  into["CpuPeriod"] = host.cpu_period;
  into["CpuQuota"] = host.cpu_quota;
  into["CpusetCpus"] = host.cpuset_cpus;
  into["CpusetMems"] = host.cpuset_mems;
  into["Memory"] = host.memory;
  into["MemoryReservation"] = host.memory_reservation;
  into["MemorySwap"] = host.memory_swap;
  into["PidsLimit"] = host.pids_limit == 0 ? json() : json(host.pids_limit);
  into["BlkioWeight"] = host.blkio_weight;
  into["OomScoreAdj"] = host.oom_score_adj;
  json ulimits = json::array();
  for (const UlimitConfig& limit : host.ulimits) {
    ulimits.push_back({{"Name", limit.name}, {"Hard", limit.hard}, {"Soft", limit.soft}});
  }
  into["Ulimits"] = std::move(ulimits);
  json devices = json::array();
  for (const DeviceConfig& device : host.devices) {
    devices.push_back({{"PathOnHost", device.path_on_host},
                       {"PathInContainer", device.path_in_container},
                       {"CgroupPermissions", device.cgroup_permissions}});
  }
  into["Devices"] = std::move(devices);
  into["DeviceCgroupRules"] = null_if_empty(host.device_cgroup_rules);
  into["BlkioWeightDevice"] = device_limits_json(host.blkio_weight_device, "Weight");
  into["BlkioDeviceReadBps"] = device_limits_json(host.blkio_read_bps, "Rate");
  into["BlkioDeviceWriteBps"] = device_limits_json(host.blkio_write_bps, "Rate");
  into["BlkioDeviceReadIOps"] = device_limits_json(host.blkio_read_iops, "Rate");
  into["BlkioDeviceWriteIOps"] = device_limits_json(host.blkio_write_iops, "Rate");
  into["CpuRealtimePeriod"] = host.cpu_realtime_period;
  into["CpuRealtimeRuntime"] = host.cpu_realtime_runtime;
  into["MemorySwappiness"] = null_or(host.memory_swappiness);
  into["OomKillDisable"] = host.oom_kill_disable;
}

// What Docker shows and Quoll refuses when it is set: always its default.
void add_unsupported_defaults(json& into) {
  into["DeviceRequests"] = nullptr;
  for (const char* name : {"CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"}) into[name] = 0;
  for (const char* name : {"Cgroup", "Isolation"}) into[name] = "";
}

}  // namespace

json config_inspect_json(const ContainerConfig& config) {
  json into = {
      {"Hostname", config.hostname},
      {"Domainname", config.domainname},
      {"User", config.user},
      {"AttachStdin", config.attach_stdin},
      {"AttachStdout", config.attach_stdout},
      {"AttachStderr", config.attach_stderr},
      {"Tty", config.tty},
      {"OpenStdin", config.open_stdin},
      {"StdinOnce", config.stdin_once},
      {"Env", null_if_empty(config.env)},
      {"Cmd", null_if_empty(config.cmd)},
      {"Image", config.image},
      {"Volumes", config.volumes.empty() ? json() : key_set(config.volumes)},
      {"WorkingDir", config.working_dir},
      {"Entrypoint", null_or(config.entrypoint)},
      {"OnBuild", nullptr},
      {"Labels", config.labels},
  };
  if (!config.exposed_ports.empty()) into["ExposedPorts"] = key_set(config.exposed_ports);
  if (!config.stop_signal.empty()) into["StopSignal"] = config.stop_signal;
  if (config.stop_timeout) into["StopTimeout"] = *config.stop_timeout;
  if (config.healthcheck) into["Healthcheck"] = health_json(*config.healthcheck);
  return into;
}

json host_config_inspect_json(const HostConfig& host) {
  json into = {
      {"ContainerIDFile", host.container_id_file},
      {"LogConfig", {{"Type", host.log.driver}, {"Config", host.log.options}}},
      {"RestartPolicy",
       {{"Name", to_string(host.restart.when)}, {"MaximumRetryCount", host.restart.maximum_retry_count}}},
      {"NetworkMode", host.network_mode == "default" ? "bridge" : host.network_mode},
      {"PortBindings", port_bindings_json(host.port_bindings)},
      {"PublishAllPorts", host.publish_all_ports},
      {"Links", null_if_empty(host.links)},
      {"AutoRemove", host.auto_remove},
      {"ConsoleSize", host.console_size},
      {"CapAdd", null_if_empty(host.cap_add)},
      {"CapDrop", null_if_empty(host.cap_drop)},
      {"CgroupnsMode", host.cgroupns_mode.empty() ? "private" : host.cgroupns_mode},
      {"Dns", host.dns},
      {"DnsOptions", host.dns_options},
      {"DnsSearch", host.dns_search},
      {"ExtraHosts", null_if_empty(host.extra_hosts)},
      {"GroupAdd", null_if_empty(host.group_add)},
      {"IpcMode", host.ipc_mode.empty() ? "private" : host.ipc_mode},
      {"PidMode", host.pid_mode},
      {"UTSMode", host.uts_mode},
      {"UsernsMode", host.userns_mode},
      {"Privileged", host.privileged},
      {"ReadonlyRootfs", host.readonly_rootfs},
      {"SecurityOpt", null_if_empty(host.security_opt)},
      {"ShmSize", host.shm_size == 0 ? kDefaultShmSize : host.shm_size},
      {"Runtime", host.runtime},
      {"CgroupParent", host.cgroup_parent},
      {"MaskedPaths", null_or(host.masked_paths)},
      {"ReadonlyPaths", null_or(host.readonly_paths)},
  };
  if (!host.sysctls.empty()) into["Sysctls"] = host.sysctls;
  into["VolumesFrom"] = null_if_empty(host.volumes_from);
  into["VolumeDriver"] = host.volume_driver;
  if (host.init) into["Init"] = *host.init;
  if (!host.annotations.empty()) into["Annotations"] = host.annotations;
  add_mounts(host, into);
  add_limits(host, into);
  add_unsupported_defaults(into);
  return into;
}

json mounts_inspect_json(const std::vector<MountConfig>& mounts) {
  json list = json::array();
  for (const MountConfig& mount : mounts) {
    // Docker does not list what came by Tmpfs.
    if (mount.origin == MountConfig::Origin::kTmpfs) continue;
    json item = {{"Type", "tmpfs"},    {"Source", mount.source}, {"Destination", mount.target},
                 {"Mode", mount.mode}, {"RW", !mount.read_only}, {"Propagation", ""}};
    if (mount.kind == MountConfig::Kind::kBind) {
      item["Type"] = "bind";
      item["Propagation"] = mount.propagation.empty() ? "rprivate" : mount.propagation;
    } else if (mount.kind == MountConfig::Kind::kVolume) {
      item["Type"] = "volume";
      item["Name"] = mount.source;
      item["Source"] = mount.volume_path;
      item["Driver"] = "local";
      if (mount.mode.empty() && mount.origin != MountConfig::Origin::kVolumes) item["Mode"] = "z";
    }
    list.push_back(std::move(item));
  }
  return list;
}

json config_to_json(const ContainerConfig& config) {
  json stored = config_inspect_json(config);
  stored["HostConfig"] = host_config_inspect_json(config.host);
  // Inspect shows the values in force where nothing was asked for; what is stored stays what was asked for.
  stored["HostConfig"]["NetworkMode"] = config.host.network_mode;
  stored["HostConfig"]["CgroupnsMode"] = config.host.cgroupns_mode;
  stored["HostConfig"]["IpcMode"] = config.host.ipc_mode;
  stored["HostConfig"]["ShmSize"] = config.host.shm_size;
  if (json volumes = volume_mounts_to_json(config.mounts); !volumes.empty())
    stored["VolumeMounts"] = std::move(volumes);
  if (config.build_step) stored["BuildStep"] = true;
  return stored;
}

}  // namespace quoll::mgr
