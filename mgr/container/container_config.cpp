#include "mgr/container/container_config.hpp"

#include "mgr/container/container_config_parse.hpp"
#include "mgr/container/container_signal.hpp"
#include "mgr/short_id.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr size_t kHostnameMax = 64;  // of the kernel
constexpr int kDefaultStopSignal = 15;

// What a client may not set, but a resolved configuration has from its image.
enum class Source { kClient, kStore };

void check_hostname(const std::string& name, std::string_view field) {
  const bool plain =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return c > ' ' && c < 0x7f && c != '/'; });
  if (!plain || name.size() > kHostnameMax) refuse_value(field, "invalid hostname: " + name);
}

void check_port(const std::string& port, std::string_view field) {
  const size_t slash = port.find('/');
  const std::string number = port.substr(0, slash);
  const std::string protocol = slash == std::string::npos ? "tcp" : port.substr(slash + 1);
  const bool digits = !number.empty() && number.find_first_not_of("0123456789-") == std::string::npos;
  if (!digits || (protocol != "tcp" && protocol != "udp" && protocol != "sctp")) {
    refuse_value(field, "invalid port \"" + port + "\"");
  }
}

void check_env(const std::vector<std::string>& env) {
  for (const std::string& entry : env) {
    if (entry.empty() || entry[0] == '=') refuse("invalid environment variable: " + entry);
  }
}

EndpointConfig& endpoint_of(std::vector<EndpointConfig>& endpoints, const std::string& network) {
  const auto found = std::find_if(endpoints.begin(), endpoints.end(),
                                  [&](const EndpointConfig& endpoint) { return endpoint.network == network; });
  if (found != endpoints.end()) return *found;
  endpoints.emplace_back().network = network;
  return endpoints.back();
}

std::vector<EndpointConfig> parse_networking(JsonFields& fields, const HostConfig& host) {
  std::vector<EndpointConfig> endpoints;
  const std::string mac = fields.text("MacAddress");  // of old clients, for the network of the mode
  const nlohmann::json* json = fields.value("NetworkingConfig");
  static const nlohmann::json kNone;
  JsonFields networking(json == nullptr ? kNone : *json, "NetworkingConfig.");
  if (const nlohmann::json* configs = networking.value("EndpointsConfig")) {
    if (!configs->is_object()) refuse_value("NetworkingConfig.EndpointsConfig", "expected an object");
    for (const auto& [network, settings] : configs->items()) {
      EndpointConfig endpoint = parse_endpoint_config(network, settings, "NetworkingConfig.EndpointsConfig." + network);
      // Clients name the network of the mode without asking anything of it.
      EndpointConfig plain;
      plain.network = host.network_mode;
      if (endpoint != plain) endpoints.push_back(std::move(endpoint));
    }
  }
  networking.refuse_the_rest();
  if (!mac.empty()) {
    const auto address = parse_mac_address(mac);
    if (!address) refuse("invalid MAC address: " + mac);
    EndpointConfig& endpoint = endpoint_of(endpoints, host.network_mode);
    if (endpoint.mac && endpoint.mac != address) {
      refuse(
          "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be "
          "left empty");
    }
    endpoint.mac = address;
  }
  return endpoints;
}

// What a container that uses another's network, or the host's, cannot have of its own.
void check_network_conflicts(const ContainerConfig& config) {
  const HostConfig& host = config.host;
  const auto refuse = [](const char* problem) { throw Error(ErrorClass::kInvalidArgument, problem); };
  const bool of_container = host.network_mode.starts_with("container:");
  if (host.network_mode == "host" && !host.links.empty()) {
    refuse(
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior");
  }
  if (!of_container) return;
  if (!config.hostname.empty()) refuse("conflicting options: hostname and the network mode");
  if (!host.links.empty()) {
    refuse(
        "conflicting options: container type network can't be used with links. This would result in undefined "
        "behavior");
  }
  if (!host.dns.empty()) refuse("conflicting options: dns and the network mode");
  if (!host.extra_hosts.empty()) refuse("conflicting options: custom host-to-IP mapping and the network mode");
  if (!host.port_bindings.empty() || host.publish_all_ports) {
    refuse("conflicting options: port publishing and the container type network mode");
  }
  if (!config.exposed_ports.empty()) refuse("conflicting options: port exposing and the container type network mode");
}

void parse_process(JsonFields& fields, ContainerConfig& into) {
  into.user = fields.text("User");
  into.attach_stdin = fields.flag("AttachStdin");
  into.attach_stdout = fields.flag("AttachStdout");
  into.attach_stderr = fields.flag("AttachStderr");
  into.tty = fields.flag("Tty");
  into.open_stdin = fields.flag("OpenStdin");
  into.stdin_once = fields.flag("StdinOnce");
  into.env = fields.texts("Env");
  check_env(into.env);
  into.cmd = fields.words("Cmd").value_or(std::vector<std::string>());
  into.entrypoint = fields.words("Entrypoint");
  into.working_dir = fields.text("WorkingDir");
  if (!into.working_dir.empty()) {
    if (into.working_dir[0] != '/') {
      refuse("the working directory '" + into.working_dir + "' is invalid, it needs to be an absolute path");
    }
    into.working_dir = clean_path(into.working_dir);
  }
  into.stop_signal = fields.text("StopSignal");
  if (!into.stop_signal.empty() && !parse_signal(into.stop_signal)) {
    refuse("invalid signal: " + into.stop_signal);
  }
  const std::optional<int64_t> timeout = fields.optional_number("StopTimeout");
  if (timeout && *timeout > INT32_MAX) refuse_value("StopTimeout", "out of range");
  // Below 0 it is "without end", for Docker's clients too.
  if (timeout) into.stop_timeout = static_cast<int>(std::max<int64_t>(*timeout, -1));
  into.healthcheck = parse_healthcheck(fields);
}

ContainerConfig parse(const nlohmann::json& body, Source source) {
  JsonFields fields(body, "");
  ContainerConfig config;
  config.hostname = fields.text("Hostname");
  check_hostname(config.hostname, "Hostname");
  config.domainname = fields.text("Domainname");
  check_hostname(config.domainname, "Domainname");
  parse_process(fields, config);
  config.exposed_ports = fields.keys("ExposedPorts");
  for (const std::string& port : config.exposed_ports) check_port(port, "ExposedPorts");
  config.image = fields.text("Image");
  config.labels = fields.text_map("Labels");
  config.volumes = fields.keys("Volumes");
  static const nlohmann::json kNone;
  const nlohmann::json* host = fields.value("HostConfig");
  config.host = parse_host_config(host == nullptr ? kNone : *host);
  if (source == Source::kClient) {
    config.endpoints = parse_networking(fields, config.host);
    check_network_conflicts(config);
    check_anonymous_volumes(config.host.mounts);
    if (!config.hostname.empty() && config.host.uts_mode == "host") {
      throw Error(ErrorClass::kInvalidArgument, "conflicting options: hostname and the UTS mode");
    }
    if (!config.hostname.empty() && config.host.network_mode.starts_with("container:")) {
      throw Error(ErrorClass::kInvalidArgument, "conflicting options: hostname and the network mode");
    }
  }
  // Only the store has these: what is mounted beyond that which was asked for.
  config.build_step = source == Source::kStore && fields.flag("BuildStep");
  const auto resolved = source == Source::kStore ? parse_volume_mounts(fields) : std::vector<MountConfig>();
  for (const MountConfig& mount : config.host.mounts) {
    if (mount.kind != MountConfig::Kind::kVolume) config.mounts.push_back(mount);
  }
  config.mounts.insert(config.mounts.end(), resolved.begin(), resolved.end());
  fields.refuse_the_rest();
  return config;
}

std::string_view env_key(std::string_view entry) { return entry.substr(0, entry.find('=')); }

void add_missing_env(std::vector<std::string>& env, const std::vector<std::string>& from_image) {
  const size_t own = env.size();
  for (const std::string& entry : from_image) {
    const auto is_same = [&](const std::string& mine) { return env_key(mine) == env_key(entry); };
    if (std::none_of(env.begin(), env.begin() + static_cast<ptrdiff_t>(own), is_same)) env.push_back(entry);
  }
}

void add_missing(std::vector<std::string>& into, const std::vector<std::string>& from_image) {
  for (const std::string& item : from_image) {
    if (std::find(into.begin(), into.end(), item) == into.end()) into.push_back(item);
  }
  std::sort(into.begin(), into.end());
}

void add_missing(std::optional<HealthConfig>& into, const std::optional<HealthConfig>& from_image) {
  if (!from_image) return;
  if (!into) into.emplace();
  if (into->test.empty()) into->test = from_image->test;
  if (into->interval_ns == 0) into->interval_ns = from_image->interval_ns;
  if (into->timeout_ns == 0) into->timeout_ns = from_image->timeout_ns;
  if (into->start_period_ns == 0) into->start_period_ns = from_image->start_period_ns;
  if (into->start_interval_ns == 0) into->start_interval_ns = from_image->start_interval_ns;
  if (into->retries == 0) into->retries = from_image->retries;
}

}  // namespace

ContainerConfig parse_container_config(const nlohmann::json& body) { return parse(body, Source::kClient); }
ContainerConfig config_from_json(const nlohmann::json& stored) { return parse(stored, Source::kStore); }

ContainerConfig resolve_with_image(ContainerConfig config, const nlohmann::json& image_config) {
  std::vector<EndpointConfig> endpoints = std::move(config.endpoints);
  JsonFields document(image_config, "image.");
  static const nlohmann::json kNone;
  const nlohmann::json* inner = document.value("config");
  JsonFields image(inner == nullptr ? kNone : *inner, "image.config.");

  if (config.cmd.empty() && (!config.entrypoint || config.entrypoint->empty())) {
    config.cmd = image.words("Cmd").value_or(std::vector<std::string>());
  }
  if (!config.entrypoint) config.entrypoint = image.words("Entrypoint");
  // One empty word is how clients write "no entry point, not even the image's".
  if (config.entrypoint == std::vector<std::string>{""}) config.entrypoint.emplace();
  if (config.cmd.empty() && (!config.entrypoint || config.entrypoint->empty())) {
    throw Error(ErrorClass::kInvalidArgument, "no command specified");
  }
  add_missing_env(config.env, image.texts("Env"));
  if (config.working_dir.empty()) {
    config.working_dir = image.text("WorkingDir");
    // Old builders wrote relative ones, which were always meant from the root.
    if (!config.working_dir.empty()) config.working_dir = clean_path("/" + config.working_dir);
  }
  if (config.user.empty()) config.user = image.text("User");
  for (const auto& [key, value] : image.text_map("Labels")) config.labels.emplace(key, value);
  if (config.stop_signal.empty()) {
    config.stop_signal = image.text("StopSignal");
  }
  add_missing(config.healthcheck, parse_healthcheck(image));
  add_missing(config.exposed_ports, image.keys("ExposedPorts"));
  add_missing(config.volumes, image.keys("Volumes"));
  config.mounts = config.host.mounts;
  add_anonymous_volumes(config);
  // An image may hold anything: what would not come back from the store is refused here, where only this request fails.
  config = config_from_json(config_to_json(config));
  config.endpoints = std::move(endpoints);
  return config;
}

std::string effective_hostname(const ContainerConfig& config, std::string_view id, std::string_view host_hostname) {
  if (!config.hostname.empty()) return config.hostname;
  if (config.host.uts_mode == "host" || config.host.network_mode == "host") return std::string(host_hostname);
  return short_id(id);
}

std::vector<PortBinding> published_ports(const ContainerConfig& config) {
  const std::string& mode = config.host.network_mode;
  if (mode == "host" || mode == "none" || mode.starts_with("container:")) return {};
  std::vector<PortBinding> ports = config.host.port_bindings;
  if (!config.host.publish_all_ports) return ports;
  for (const std::string& text : config.exposed_ports) {
    const auto port = parse_port(text);
    if (!port) continue;  // a range, which clients take apart
    const bool named = std::any_of(config.host.port_bindings.begin(), config.host.port_bindings.end(),
                                   [&](const PortBinding& binding) { return binding.container == *port; });
    if (!named) ports.push_back({.container = *port});
  }
  return ports;
}

int stop_signal_number(const ContainerConfig& config) {
  return parse_signal(config.stop_signal).value_or(kDefaultStopSignal);
}

}  // namespace quoll::mgr
