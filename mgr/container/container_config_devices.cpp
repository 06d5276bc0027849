// What HostConfig says of single devices.
#include <regex>

#include "mgr/container/container_config_parse.hpp"

namespace quoll::mgr {
namespace {

DeviceConfig parse_device(const nlohmann::json& json) {
  JsonFields fields(json, "HostConfig.Devices.");
  DeviceConfig device{fields.text("PathOnHost"), fields.text("PathInContainer"),
                      fields.text("CgroupPermissions", "rwm")};
  fields.refuse_the_rest();
  if (!device.path_on_host.starts_with('/')) {
    refuse_value("HostConfig.Devices.PathOnHost", "must be absolute: \"" + device.path_on_host + "\"");
  }
  if (device.path_in_container.empty()) device.path_in_container = device.path_on_host;
  if (!device.path_in_container.starts_with('/')) {
    refuse_value("HostConfig.Devices.PathInContainer", "must be absolute: \"" + device.path_in_container + "\"");
  }
  device.path_in_container = clean_path(device.path_in_container);
  if (device.cgroup_permissions.empty()) device.cgroup_permissions = "rwm";
  if (device.cgroup_permissions.find_first_not_of("rwm") != std::string::npos) {
    refuse("invalid device mode: " + device.cgroup_permissions);
  }
  return device;
}

std::vector<DeviceLimitConfig> parse_device_limits(JsonFields& host, const char* name, const char* unit) {
  std::vector<DeviceLimitConfig> limits;
  for (const nlohmann::json& json : host.list(name)) {
    JsonFields fields(json, host.full_name(name) + ".");
    DeviceLimitConfig limit{fields.text("Path"), fields.number(unit)};
    fields.refuse_the_rest();
    if (!limit.path.starts_with('/')) refuse_value(host.full_name(name), "bad format for path: \"" + limit.path + "\"");
    if (limit.value < 0) refuse_value(host.full_name(name), "must not be negative");
    limits.push_back(std::move(limit));
  }
  return limits;
}

}  // namespace

void parse_devices(JsonFields& host, HostConfig& into) {
  for (const nlohmann::json& json : host.list("Devices")) into.devices.push_back(parse_device(json));
  static const std::regex kRule(R"([acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3})");
  into.device_cgroup_rules = host.texts("DeviceCgroupRules");
  for (const std::string& rule : into.device_cgroup_rules) {
    if (!std::regex_match(rule, kRule)) {
      refuse("invalid device cgroup rule format: '" + rule + "'");
    }
  }
  into.blkio_weight_device = parse_device_limits(host, "BlkioWeightDevice", "Weight");
  into.blkio_read_bps = parse_device_limits(host, "BlkioDeviceReadBps", "Rate");
  into.blkio_write_bps = parse_device_limits(host, "BlkioDeviceWriteBps", "Rate");
  into.blkio_read_iops = parse_device_limits(host, "BlkioDeviceReadIOps", "Rate");
  into.blkio_write_iops = parse_device_limits(host, "BlkioDeviceWriteIOps", "Rate");
}

}  // namespace quoll::mgr
