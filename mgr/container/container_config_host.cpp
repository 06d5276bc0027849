#include <arpa/inet.h>

#include <charconv>
#include <cmath>

#include "mgr/container/container_config_parse.hpp"
#include "mgr/container/log_tag.hpp"
#include "mgr/letter_case.hpp"
#include "task/error.hpp"
#include "task/regular_expression.hpp"

namespace quoll::mgr {
namespace {

constexpr std::string_view kJoinPrefix = "container:";

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address;
  return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

// Words go into files line by line, so one must not bring a line of its own.
void require_plain_word(const std::string& word, std::string_view field) {
  const bool plain = std::all_of(word.begin(), word.end(), [](unsigned char c) { return c > ' ' && c != 0x7f; });
  if (word.empty() || !plain) refuse_value(field, "invalid value \"" + word + "\"");
}

std::vector<std::string> plain_words(JsonFields& host, std::string_view name) {
  std::vector<std::string> words = host.texts(name);
  for (const std::string& word : words) require_plain_word(word, host.full_name(name));
  return words;
}

std::vector<std::string> parse_dns(JsonFields& host) {
  std::vector<std::string> servers = host.texts("Dns");
  for (const std::string& server : servers) {
    if (!is_address(server)) refuse_value(host.full_name("Dns"), "\"" + server + "\" is no IP address");
  }
  return servers;
}

std::vector<std::string> parse_extra_hosts(JsonFields& host) {
  const std::string field = host.full_name("ExtraHosts");
  std::vector<std::string> hosts;
  for (const std::string& entry : host.texts("ExtraHosts")) {
    size_t separator = entry.find('=');
    if (separator == std::string::npos) separator = entry.find(':');
    if (separator == std::string::npos || separator == 0) refuse("bad format for add-host: \"" + entry + "\"");
    std::string address = entry.substr(separator + 1);
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    if (address != "host-gateway" && !is_address(address))
      refuse("invalid IP address in add-host: \"" + address + "\"");
    const std::string name = entry.substr(0, separator);
    require_plain_word(name, field);
    hosts.push_back(name + ":" + address);
  }
  return hosts;
}

// One of Docker's namespace modes; with "container:" among `known`, another container's by name or id.
std::string parse_mode(JsonFields& host, std::string_view name, std::string_view what,
                       std::initializer_list<std::string_view> known) {
  std::string mode = host.text(name);
  if (mode.empty() || std::find(known.begin(), known.end(), mode) != known.end()) return mode;
  const bool may_join = std::find(known.begin(), known.end(), "container:") != known.end();
  if (may_join && mode.starts_with("container:") && mode.size() > kJoinPrefix.size()) return mode;
  refuse("invalid " + std::string(what) + " mode: " + mode);
}

std::string parse_network_mode(JsonFields& host) {
  const std::string mode = host.text("NetworkMode");
  if (mode.empty()) return "default";
  if (mode == "container:") refuse("invalid container format container:<name|id>");
  return mode;
}

std::array<int, 2> parse_console_size(JsonFields& host) {
  const nlohmann::json::array_t& list = host.list("ConsoleSize");
  if (list.empty()) return {};
  const std::string field = host.full_name("ConsoleSize");
  const auto is_side = [](const nlohmann::json& side) {
    return side.is_number_integer() && side.get<int64_t>() >= 0 && side.get<int64_t>() <= UINT16_MAX;
  };
  if (list.size() != 2 || !is_side(list[0]) || !is_side(list[1])) refuse_value(field, "expected height and width");
  return {list[0].get<int>(), list[1].get<int>()};
}

// "10m" in decimal units, as Docker's log driver counts them.
int64_t parse_log_size(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  std::string suffix = lower({end, text.data() + text.size()});
  if (suffix.starts_with(' ')) suffix.erase(0, 1);
  constexpr std::string_view kUnits = "bkmgtp";
  const size_t unit = suffix.empty() ? 0 : kUnits.find(suffix[0]);
  const std::string tail = suffix.empty() ? "" : suffix.substr(1);
  const bool tail_ok = tail.empty() || (unit != 0 && (tail == "b" || tail == "ib"));
  if (error != std::errc() || unit == std::string_view::npos || !tail_ok) {
    refuse("invalid size: '" + text + "'");
  }
  const double bytes = number * std::pow(1000.0, static_cast<double>(unit));
  if (!(bytes >= 1) || bytes > 9e18) refuse("max-size must be a positive number");
  return static_cast<int64_t>(bytes);
}

void apply_log_option(LogConfig& log, const std::string& key, const std::string& value, const std::string& field) {
  if (key == "max-size") {
    if (value != "-1") log.max_size = parse_log_size(value);
  } else if (key == "max-file") {
    int count = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
    if (error != std::errc() || end != value.data() + value.size()) refuse_value(field, "expected a number");
    if (count < 1) refuse("max-file cannot be less than 1");
    log.max_files = count;
  } else {
    // What makes the attributes that `logs --details` shows; "blocking" and "no compression" are how it is anyway.
    if (key == "labels" || key == "env") return;
    if (key == "labels-regex" || key == "env-regex") {
      if (!task::RegularExpression::parse(value)) refuse_value(field, "no regular expression: " + value);
      return;
    }
    if (key == "tag") {
      expand_log_tag(value, {});  // refuses what it cannot do
      return;
    }
    if ((key == "compress" && value == "false") || (key == "mode" && value == "blocking")) return;
    constexpr auto kLater = std::to_array<std::string_view>({"compress", "mode", "max-buffer-size"});
    if (std::find(kLater.begin(), kLater.end(), key) != kLater.end()) refuse_unsupported(field);
    refuse("unknown log opt '" + key + "' for json-file log driver");
  }
}

}  // namespace

LogConfig parse_log_config(JsonFields& host) {
  LogConfig log;
  const nlohmann::json* json = host.value("LogConfig");
  if (json == nullptr) return log;
  JsonFields fields(*json, host.full_name("LogConfig."));
  const std::string type = fields.text("Type");
  if (!type.empty()) log.driver = type;
  if (log.driver != "json-file" && log.driver != "none") {
    constexpr auto kOfDocker = std::to_array<std::string_view>(
        {"awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "local", "splunk", "syslog"});
    if (std::find(kOfDocker.begin(), kOfDocker.end(), type) == kOfDocker.end()) {
      refuse("logger: no log driver named '" + type + "' is registered");
    }
    refuse_unsupported(fields.full_name("Type") + " \"" + type + "\"");
  }
  log.options = fields.text_map("Config");
  for (const auto& [key, value] : log.options) {
    const std::string field = fields.full_name("Config.") + key;
    if (log.driver == "none") refuse_value(field, "log driver none has no options");
    apply_log_option(log, key, value, field);
  }
  fields.refuse_the_rest();
  return log;
}

HostConfig parse_host_config(const nlohmann::json& json) {
  JsonFields host(json, "HostConfig.");
  HostConfig into;
  into.mounts = parse_mounts(host);
  into.volumes_from = host.texts("VolumesFrom");
  into.volume_driver = host.text("VolumeDriver");
  into.log = parse_log_config(host);
  into.network_mode = parse_network_mode(host);
  into.restart = parse_restart_policy(host);
  if (const nlohmann::json* bindings = host.value("PortBindings")) {
    into.port_bindings = parse_port_bindings(*bindings, host.full_name("PortBindings"));
  }
  into.publish_all_ports = host.flag("PublishAllPorts");
  into.links = plain_words(host, "Links");
  into.auto_remove = host.flag("AutoRemove");
  if (into.auto_remove && into.restart.when != RestartPolicy::When::kNo) {
    throw Error(ErrorClass::kInvalidArgument, "can't create 'AutoRemove' container with restart policy");
  }
  into.console_size = parse_console_size(host);
  into.cgroupns_mode = parse_mode(host, "CgroupnsMode", "cgroup namespace", {"private", "host"});
  into.ipc_mode = parse_mode(host, "IpcMode", "IPC", {"private", "shareable", "host", "none", "container:"});
  into.pid_mode = parse_mode(host, "PidMode", "PID", {"host", "container:"});
  into.uts_mode = parse_mode(host, "UTSMode", "UTS", {"host"});
  into.userns_mode = parse_mode(host, "UsernsMode", "USER", {"host"});
  into.dns = parse_dns(host);
  into.dns_options = plain_words(host, "DnsOptions");
  into.dns_search = plain_words(host, "DnsSearch");
  into.extra_hosts = parse_extra_hosts(host);
  into.group_add = plain_words(host, "GroupAdd");
  into.runtime = host.text("Runtime");
  into.container_id_file = host.text("ContainerIDFile");
  parse_security(host, into);
  parse_resources(host, into);
  const std::string isolation = host.text("Isolation");
  if (!isolation.empty() && isolation != "default") refuse_unsupported("HostConfig.Isolation \"" + isolation + "\"");
  host.number("KernelMemory");  // clients of old versions send it; no kernel has it any more
  if (host.value("Init") != nullptr) into.init = host.flag("Init");
  into.annotations = host.text_map("Annotations");
  into.cgroup_parent = host.text("CgroupParent");
  if (!into.cgroup_parent.empty()) into.cgroup_parent = clean_path("/" + into.cgroup_parent);
  host.refuse_the_rest();
  return into;
}

}  // namespace quoll::mgr
