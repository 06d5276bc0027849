#include "mgr/network/endpoint.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "mgr/container/container_config_fields.hpp"
#include "mgr/short_id.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

constexpr auto kProtocols = std::to_array<std::string_view>({"tcp", "udp", "sctp"});

IpAddress parse_own_address(const std::string& text, IpFamily family, const std::string& field) {
  const auto address = parse_ip_address(text);
  if (!address || address->family != family || address->is_unspecified()) {
    refuse_value(field, "invalid IP" + std::string(family == IpFamily::kV4 ? "v4" : "v6") + " address: " + text);
  }
  return *address;
}

json null_if_empty(const std::vector<std::string>& list) { return list.empty() ? json() : json(list); }

json ipam_config_json(const EndpointConfig& config) {
  if (!config.ipv4 && !config.ipv6) return nullptr;
  json ipam = json::object();
  if (config.ipv4) ipam["IPv4Address"] = to_string(*config.ipv4);
  if (config.ipv6) ipam["IPv6Address"] = to_string(*config.ipv6);
  return ipam;
}

json config_json(const EndpointConfig& config) {
  return {{"IPAMConfig", ipam_config_json(config)},
          {"Links", null_if_empty(config.links)},
          {"Aliases", null_if_empty(config.aliases)},
          {"MacAddress", config.mac ? to_string(*config.mac) : ""},
          {"DriverOpts", config.driver_options.empty() ? json() : json(config.driver_options)},
          {"GwPriority", config.gateway_priority}};
}

json live_json(const Endpoint& live) {
  json addresses = json::array();
  for (const EndpointAddress& address : live.addresses) {
    addresses.push_back({to_string(address.address), address.prefix_length,
                         address.gateway ? json(to_string(*address.gateway)) : json()});
  }
  return {{"id", live.id},
          {"host_link", live.host_link},
          {"container_link", live.container_link},
          {"mac", to_string(live.mac)},
          {"addresses", std::move(addresses)}};
}

Endpoint live_from_json(const json& stored) {
  Endpoint live;
  live.id = stored.at("id").get<std::string>();
  live.host_link = stored.at("host_link").get<std::string>();
  live.container_link = stored.at("container_link").get<std::string>();
  live.mac = parse_mac_address(stored.at("mac").get<std::string>()).value();
  for (const json& entry : stored.at("addresses")) {
    EndpointAddress address;
    address.address = parse_ip_address(entry.at(0).get<std::string>()).value();
    address.prefix_length = entry.at(1).get<int>();
    if (!entry.at(2).is_null()) address.gateway = parse_ip_address(entry.at(2).get<std::string>()).value();
    live.addresses.push_back(address);
  }
  return live;
}

}  // namespace

EndpointConfig parse_endpoint_config(const std::string& network, const json& settings, const std::string& field) {
  EndpointConfig config;
  config.network = network;
  JsonFields fields(settings, field + ".");
  if (const json* const ipam = fields.value("IPAMConfig")) {
    JsonFields addresses(*ipam, field + ".IPAMConfig.");
    const std::string ipv4 = addresses.text("IPv4Address");
    const std::string ipv6 = addresses.text("IPv6Address");
    if (!ipv4.empty()) config.ipv4 = parse_own_address(ipv4, IpFamily::kV4, addresses.full_name("IPv4Address"));
    if (!ipv6.empty()) config.ipv6 = parse_own_address(ipv6, IpFamily::kV6, addresses.full_name("IPv6Address"));
    addresses.refuse_the_rest();
  }
  config.links = fields.texts("Links");
  config.aliases = fields.texts("Aliases");
  for (const std::string& alias : config.aliases) {
    const bool plain = std::ranges::all_of(alias, [](unsigned char c) { return c > ' ' && c < 0x7f && c != ','; });
    if (alias.empty() || !plain) refuse_value(fields.full_name("Aliases"), "invalid alias \"" + alias + "\"");
  }
  const std::string mac = fields.text("MacAddress");
  if (!mac.empty()) {
    config.mac = parse_mac_address(mac);
    if (!config.mac) refuse_value(fields.full_name("MacAddress"), mac + " is not a valid mac address");
  }
  config.driver_options = fields.text_map("DriverOpts");
  config.gateway_priority = static_cast<int>(fields.number("GwPriority"));
  // What a client sends back of an inspect: facts of a run that is over.
  for (const char* name : {"NetworkID", "EndpointID", "Gateway", "IPAddress", "IPv6Gateway", "GlobalIPv6Address"}) {
    fields.text(name);
  }
  fields.number("IPPrefixLen");
  fields.number("GlobalIPv6PrefixLen");
  fields.value("DNSNames");
  fields.refuse_the_rest();
  return config;
}

void check_driver_options(const EndpointConfig& config) {
  for (const auto& [option, value] : config.driver_options) {
    if (option.starts_with("com.docker.network.endpoint.")) refuse_unsupported("DriverOpts." + option);
  }
}

const EndpointAddress* Endpoint::address(IpFamily family) const {
  const auto found = std::ranges::find(addresses, family, [](const auto& entry) { return entry.address.family; });
  return found == addresses.end() ? nullptr : &*found;
}

std::string_view to_string(PortProtocol protocol) { return kProtocols[static_cast<std::size_t>(protocol)]; }

std::optional<Port> parse_port(std::string_view text) {
  Port port;
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + slash, port.number);
  if (error != std::errc() || end != text.data() + slash || slash == 0) return std::nullopt;
  if (slash == text.size()) return port;
  const auto found = std::ranges::find(kProtocols, text.substr(slash + 1));
  if (found == kProtocols.end()) return std::nullopt;
  port.protocol = static_cast<PortProtocol>(found - kProtocols.begin());
  return port;
}

std::string to_string(const Port& port) {
  return std::to_string(port.number).append("/").append(to_string(port.protocol));
}

Attachment* ContainerNetwork::find(std::string_view network_id) {
  const auto found = std::ranges::find(attachments, network_id, &Attachment::network_id);
  return found == attachments.end() ? nullptr : &*found;
}

const Attachment* ContainerNetwork::find(std::string_view network_id) const {
  const auto found = std::ranges::find(attachments, network_id, &Attachment::network_id);
  return found == attachments.end() ? nullptr : &*found;
}

SharedNetwork::SharedNetwork() {
  static const auto empty = std::make_shared<const ContainerNetwork>();
  network_ = empty;
}

ContainerNetwork without_run(ContainerNetwork network) {
  for (Attachment& attachment : network.attachments) attachment.live.reset();
  network.ports.clear();
  return network;
}

json to_json(const ContainerNetwork& network) {
  json attachments = json::array();
  for (const Attachment& attachment : network.attachments) {
    attachments.push_back({{"asked", attachment.config.network},
                           {"config", config_json(attachment.config)},
                           {"id", attachment.network_id},
                           {"name", attachment.network_name},
                           {"live", attachment.live ? live_json(*attachment.live) : json()}});
  }
  json ports = json::array();
  for (const PublishedPort& port : network.ports) {
    ports.push_back({to_string(port.container), to_string(port.host_address), port.host_port});
  }
  return {{"attachments", std::move(attachments)}, {"ports", std::move(ports)}};
}

ContainerNetwork container_network_from_json(const json& stored) try {
  ContainerNetwork network;
  for (const json& entry : stored.at("attachments")) {
    Attachment attachment;
    attachment.config = parse_endpoint_config(entry.at("asked").get<std::string>(), entry.at("config"), "stored");
    attachment.network_id = entry.at("id").get<std::string>();
    attachment.network_name = entry.at("name").get<std::string>();
    if (!entry.at("live").is_null()) attachment.live = live_from_json(entry.at("live"));
    network.attachments.push_back(std::move(attachment));
  }
  for (const json& entry : stored.at("ports")) {
    network.ports.push_back({parse_port(entry.at(0).get<std::string>()).value(),
                             parse_ip_address(entry.at(1).get<std::string>()).value(),
                             entry.at(2).get<std::uint16_t>()});
  }
  return network;
} catch (const std::bad_optional_access&) {
  throw Error(ErrorClass::kInvalidArgument, "stored network state: a malformed address or port");
} catch (const json::exception& error) {
  throw Error(ErrorClass::kInvalidArgument, std::string("stored network state: ") + error.what());
}

std::vector<std::string> dns_names(const Attachment& attachment, std::string_view container_name,
                                   std::string_view container_id) {
  std::vector<std::string> names{std::string(container_name)};
  const auto add = [&names](const std::string& name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const std::string& alias : attachment.config.aliases) add(alias);
  add(short_id(container_id));
  return names;
}

json endpoint_inspect_json(const Attachment& attachment, std::string_view container_name,
                           std::string_view container_id) {
  json entry = config_json(attachment.config);
  const bool has_names =
      attachment.network_name != "bridge" && attachment.network_name != "host" && attachment.network_name != "none";
  entry.update({{"NetworkID", attachment.network_id},
                {"EndpointID", ""},
                {"Gateway", ""},
                {"IPAddress", ""},
                {"IPPrefixLen", 0},
                {"IPv6Gateway", ""},
                {"GlobalIPv6Address", ""},
                {"GlobalIPv6PrefixLen", 0},
                {"DNSNames", has_names ? json(dns_names(attachment, container_name, container_id)) : json()}});
  if (!attachment.live) return entry;
  entry["EndpointID"] = attachment.live->id;
  entry["MacAddress"] = attachment.live->host_link.empty() ? "" : to_string(attachment.live->mac);
  for (const EndpointAddress& address : attachment.live->addresses) {
    const bool is_v4 = address.address.family == IpFamily::kV4;
    entry[is_v4 ? "IPAddress" : "GlobalIPv6Address"] = to_string(address.address);
    entry[is_v4 ? "IPPrefixLen" : "GlobalIPv6PrefixLen"] = address.prefix_length;
    entry[is_v4 ? "Gateway" : "IPv6Gateway"] = address.gateway ? to_string(*address.gateway) : "";
  }
  return entry;
}

json ports_inspect_json(const ContainerNetwork& network, const std::vector<std::string>& exposed) {
  json ports = json::object();
  for (const PublishedPort& port : network.ports) {
    ports[to_string(port.container)].push_back(
        {{"HostIp", to_string(port.host_address)}, {"HostPort", std::to_string(port.host_port)}});
  }
  for (const std::string& text : exposed) {
    const auto port = parse_port(text);
    if (port && !ports.contains(to_string(*port))) ports[to_string(*port)] = nullptr;
  }
  return ports;
}

json ports_summary_json(const ContainerNetwork& network, const std::vector<std::string>& exposed) {
  json ports = json::array();
  for (const std::string& text : exposed) {
    const auto port = parse_port(text);
    if (!port || std::ranges::find(network.ports, *port, &PublishedPort::container) != network.ports.end()) continue;
    ports.push_back({{"PrivatePort", port->number}, {"Type", to_string(port->protocol)}});
  }
  for (const PublishedPort& port : network.ports) {
    ports.push_back({{"IP", to_string(port.host_address)},
                     {"PrivatePort", port.container.number},
                     {"PublicPort", port.host_port},
                     {"Type", to_string(port.container.protocol)}});
  }
  return ports;
}

}  // namespace quoll::mgr
