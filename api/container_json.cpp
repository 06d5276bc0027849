#include "api/container_json.hpp"

#include <nlohmann/json.hpp>

#include "mgr/short_id.hpp"

namespace quoll::api {
namespace {

using nlohmann::json;

// The program and its arguments: the entrypoint, then the command.
std::vector<std::string> process_arguments(const mgr::ContainerConfig& config) {
  std::vector<std::string> arguments = config.entrypoint.value_or(std::vector<std::string>());
  arguments.insert(arguments.end(), config.cmd.begin(), config.cmd.end());
  return arguments;
}

std::string command_line(const mgr::ContainerConfig& config) {
  std::string line;
  for (const std::string& argument : process_arguments(config)) {
    if (!line.empty()) line += ' ';
    const bool quote = argument.find(' ') != std::string::npos;
    line += quote ? "'" + argument + "'" : argument;
  }
  return line;
}

// NetworkSettings.Networks; a container of an older daemon has only its mode's name.
json networks_json(const mgr::ContainerSnapshot& container) {
  json networks = json::object();
  for (const mgr::Attachment& attachment : container.state.network->attachments) {
    networks[attachment.network_name] = mgr::endpoint_inspect_json(attachment, container.name, container.id);
  }
  return networks;
}

json network_settings(const mgr::ContainerSnapshot& container) {
  const bool runs = mgr::is_running(container.state.status);
  const mgr::ContainerNetwork& network = *container.state.network;
  json settings{{"Bridge", ""},
                {"SandboxID", ""},
                {"SandboxKey", runs ? "/proc/" + std::to_string(container.state.pid) + "/ns/net" : ""},
                {"Ports", runs ? mgr::ports_inspect_json(network, container.config->exposed_ports) : json::object()},
                {"HairpinMode", false},
                {"LinkLocalIPv6Address", ""},
                {"LinkLocalIPv6PrefixLen", 0},
                {"SecondaryIPAddresses", nullptr},
                {"SecondaryIPv6Addresses", nullptr}};
  settings["Networks"] = networks_json(container);
  // The same of the default bridge once more, for clients of old.
  constexpr const char* kTexts[] = {"EndpointID", "Gateway",     "GlobalIPv6Address",
                                    "IPAddress",  "IPv6Gateway", "MacAddress"};
  constexpr const char* kNumbers[] = {"GlobalIPv6PrefixLen", "IPPrefixLen"};
  const auto bridge = settings["Networks"].find("bridge");
  const bool has_bridge = bridge != settings["Networks"].end();
  for (const char* key : kTexts) settings[key] = has_bridge ? (*bridge)[key] : json("");
  for (const char* key : kNumbers) settings[key] = has_bridge ? (*bridge)[key] : json(0);
  return settings;
}

// "Up 5 seconds (healthy)".
std::string status_text(const mgr::ContainerSnapshot& container, std::int64_t now_ns) {
  std::string text = mgr::human_status(container.state, now_ns);
  if (!container.health || container.state.status != mgr::ContainerStatus::kRunning) return text;
  const bool starting = container.health->status == mgr::HealthStatus::kStarting;
  return text.append(starting ? " (health: " : " (").append(mgr::to_string(container.health->status)).append(")");
}

json state_json(const mgr::ContainerSnapshot& container) {
  json state = mgr::state_inspect_json(container.state);
  if (container.health) state["Health"] = mgr::health_inspect_json(*container.health);
  return state;
}

}  // namespace

json summary_json(const mgr::ContainerSnapshot& container, std::int64_t now_ns) {
  const mgr::ContainerConfig& config = *container.config;
  json host{{"NetworkMode", config.host.network_mode}};
  if (!config.host.annotations.empty()) host["Annotations"] = config.host.annotations;
  return {{"Id", container.id},
          {"Names", json::array({"/" + container.name})},
          {"Image", config.image},
          {"ImageID", container.image_id},
          {"Command", command_line(config)},
          {"Created", container.created_ns / 1'000'000'000},
          {"Ports", mgr::is_running(container.state.status)
                        ? mgr::ports_summary_json(*container.state.network, config.exposed_ports)
                        : json::array()},
          {"Labels", config.labels},
          {"State", mgr::to_string(container.state.status)},
          {"Status", status_text(container, now_ns)},
          {"HostConfig", std::move(host)},
          {"NetworkSettings", {{"Networks", networks_json(container)}}},
          {"Mounts", mgr::mounts_inspect_json(config.mounts)}};
}

json inspect_json(const mgr::ContainerSnapshot& container, const mgr::ContainerPaths& paths) {
  const mgr::ContainerConfig& config = *container.config;
  const std::vector<std::string> arguments = process_arguments(config);
  json config_json = mgr::config_inspect_json(config);
  if (config.hostname.empty()) config_json["Hostname"] = mgr::short_id(container.id);
  return {{"Id", container.id},
          {"Created", mgr::rfc3339_nano(container.created_ns)},
          {"Path", arguments.empty() ? "" : arguments.front()},
          {"Args", std::vector<std::string>(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end())},
          {"State", state_json(container)},
          {"Image", container.image_id},
          {"ResolvConfPath", paths.directory + "/resolv.conf"},
          {"HostnamePath", paths.directory + "/hostname"},
          {"HostsPath", paths.directory + "/hosts"},
          {"LogPath", container.log_path},
          {"Name", "/" + container.name},
          {"RestartCount", container.state.restart_count},
          {"Driver", "overlay2"},
          {"Platform", "linux"},
          {"MountLabel", ""},
          {"ProcessLabel", ""},
          {"AppArmorProfile", ""},
          {"ExecIDs", nullptr},
          {"HostConfig", mgr::host_config_inspect_json(config.host)},
          {"GraphDriver",
           {{"Name", "overlay2"},
            {"Data", {{"UpperDir", paths.directory + "/upper"}, {"WorkDir", paths.directory + "/work"}}}}},
          {"Mounts", mgr::mounts_inspect_json(config.mounts)},
          {"Config", std::move(config_json)},
          {"NetworkSettings", network_settings(container)}};
}

}  // namespace quoll::api
