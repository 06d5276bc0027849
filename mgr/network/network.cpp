#include "mgr/network/network.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgr/container/container_config_fields.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

constexpr std::string_view kBridgeOptions = "com.docker.network.bridge.";

[[noreturn]] void refuse_config(const std::string& problem) {
  throw Error(ErrorClass::kInvalidArgument, "invalid network config:\n" + problem);
}

NetworkDriver parse_driver(const std::string& name) {
  if (name.empty() || name == "default" || name == "bridge") return NetworkDriver::kBridge;
  if (name == "host") return NetworkDriver::kHost;
  if (name == "null") return NetworkDriver::kNull;
  throw Error(ErrorClass::kNotFound, "could not find plugin " + name + " in v1 plugin registry: plugin not found");
}

IpAddress parse_member(const std::string& text, const IpPrefix& subnet, const std::string& what) {
  const auto address = parse_ip_address(text);
  if (!address) refuse_config("invalid " + what + " " + text + ": invalid address");
  if (!subnet.contains(*address)) {
    refuse_config("invalid " + what + " " + text + ": parent subnet " + to_string(subnet) +
                  " doesn't contain this address");
  }
  return *address;
}

IpPrefix parse_subnet(const std::string& text, const std::string& what) {
  const auto subnet = parse_ip_prefix(text);
  if (!subnet) refuse_config("invalid " + what + " " + text + ": invalid CIDR block notation");
  if (text.substr(0, text.find('/')) != to_string(subnet->address)) {
    refuse_config("invalid " + what + " " + text + ": it should be " + to_string(*subnet));
  }
  return *subnet;
}

// The subnet itself may be left open, which gives nothing here.
std::optional<AddressRange> parse_range(const json& entry, const std::string& prefix) {
  JsonFields fields(entry, prefix);
  const std::string subnet = fields.text("Subnet");
  const std::string gateway = fields.text("Gateway");
  const std::string ip_range = fields.text("IPRange");
  const auto auxiliary = fields.text_map("AuxiliaryAddresses");
  fields.refuse_the_rest();
  if (subnet.empty()) {
    if (!gateway.empty() || !ip_range.empty() || !auxiliary.empty()) {
      refuse_config("invalid network config: a gateway, an address range or an auxiliary address needs a subnet");
    }
    return std::nullopt;
  }
  AddressRange range;
  range.subnet = parse_subnet(subnet, "subnet");
  if (!ip_range.empty()) {
    range.ip_range = parse_subnet(ip_range, "ip-range");
    if (!range.subnet.contains(*range.ip_range)) {
      refuse_config("invalid ip-range " + ip_range + ": parent subnet " + subnet + " doesn't contain ip-range");
    }
  }
  if (!gateway.empty()) range.gateway = parse_member(gateway, range.subnet, "gateway");
  for (const auto& [name, address] : auxiliary) {
    range.auxiliary.emplace(name, parse_member(address, range.subnet, "auxiliary address"));
  }
  return range;
}

void parse_ipam(JsonFields& body, Network& into) {
  const json* const value = body.value("IPAM");
  if (value == nullptr) return;
  JsonFields ipam(*value, "IPAM.");
  const std::string driver = ipam.text("Driver");
  if (!driver.empty() && driver != "default") {
    throw Error(ErrorClass::kNotFound, "could not find plugin " + driver + " in v1 plugin registry: plugin not found");
  }
  into.ipam_options = ipam.text_map("Options");
  for (const json& entry : ipam.list("Config")) {
    const auto range = parse_range(entry, "IPAM.Config.");
    if (!range) continue;
    if (into.range(range->subnet.address.family) != nullptr) {
      refuse_config("a bridge has one subnet of each address family: " + to_string(range->subnet) + " is one more");
    }
    into.ranges.push_back(*range);
  }
  ipam.refuse_the_rest();
  std::ranges::sort(into.ranges, {}, [](const AddressRange& range) { return range.subnet.address.family; });
}

void check_name(const std::string& name) {
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-'; };
  if (!name.empty() && std::isalnum(static_cast<unsigned char>(name[0])) != 0 && std::ranges::all_of(name, is_plain)) {
    return;
  }
  throw Error(ErrorClass::kInvalidArgument,
              "invalid network name " + name + ": only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
}

// Options that change what a bridge does are known by name; others are notes of the client's own.
void check_options(const Network& network) {
  constexpr auto kKnown = std::to_array<std::string_view>(
      {"name", "enable_icc", "enable_ip_masquerade", "host_binding_ipv4", "default_bridge"});
  for (const auto& [key, value] : network.options) {
    if (!key.starts_with(kBridgeOptions)) continue;
    const std::string_view rest = std::string_view(key).substr(kBridgeOptions.size());
    if (std::ranges::find(kKnown, rest) == kKnown.end()) refuse_unsupported("Options." + key);
  }
  const std::string bridge = network.option("com.docker.network.bridge.name", "");
  const auto is_plain = [](unsigned char c) { return c > ' ' && c < 0x7f && c != '/' && c != '"'; };
  if (bridge.size() > 15 || !std::ranges::all_of(bridge, is_plain)) {
    throw Error(ErrorClass::kInvalidArgument, "invalid bridge name: " + bridge);
  }
  const std::string binding = network.option("com.docker.network.bridge.host_binding_ipv4", "");
  if (!binding.empty() && !parse_ip_address(binding)) refuse_config("invalid host_binding_ipv4 " + binding);
  const std::string mtu = network.option("com.docker.network.driver.mtu", "");
  if (!mtu.empty() && (mtu.size() > 5 || !std::ranges::all_of(mtu, [](char c) { return c >= '0' && c <= '9'; }))) {
    refuse_config("invalid mtu " + mtu);
  }
}

json range_json(const AddressRange& range) {
  json entry{{"Subnet", to_string(range.subnet)}};
  if (range.ip_range) entry["IPRange"] = to_string(*range.ip_range);
  if (range.gateway) entry["Gateway"] = to_string(*range.gateway);
  for (const auto& [name, address] : range.auxiliary) entry["AuxiliaryAddresses"][name] = to_string(address);
  return entry;
}

void read_settings(JsonFields& fields, Network& into) {
  into.name = fields.text("Name");
  into.driver = parse_driver(fields.text("Driver"));
  into.enable_ipv6 = fields.flag("EnableIPv6");
  into.internal = fields.flag("Internal");
  into.attachable = fields.flag("Attachable");
  into.options = fields.text_map("Options");
  into.labels = fields.text_map("Labels");
  parse_ipam(fields, into);
}

}  // namespace

std::string_view to_string(NetworkDriver driver) {
  switch (driver) {
    case NetworkDriver::kHost:
      return "host";
    case NetworkDriver::kNull:
      return "null";
    case NetworkDriver::kBridge:
      break;
  }
  return "bridge";
}

const AddressRange* Network::range(IpFamily family) const {
  const auto found =
      std::ranges::find(ranges, family, [](const AddressRange& range) { return range.subnet.address.family; });
  return found == ranges.end() ? nullptr : &*found;
}

std::string Network::option(std::string_view key, std::string_view fallback) const {
  const auto found = options.find(std::string(key));
  return found == options.end() ? std::string(fallback) : found->second;
}

bool Network::option_flag(std::string_view key, bool fallback) const {
  const std::string value = option(key, "");
  return value.empty() ? fallback : value == "true" || value == "1" || value == "True" || value == "t";
}

Network parse_network(const json& body) {
  JsonFields fields(body, "");
  Network network;
  read_settings(fields, network);
  check_name(network.name);
  fields.flag("CheckDuplicate");  // of old clients; names are always unique
  if (const auto* ipv4 = fields.value("EnableIPv4"); ipv4 != nullptr && *ipv4 == false) {
    refuse_unsupported("EnableIPv4=false");
  }
  const std::string scope = fields.text("Scope");
  if (!scope.empty() && scope != "local") refuse_unsupported("Scope \"" + scope + "\"");
  fields.refuse_the_rest();
  check_options(network);
  if (network.driver != NetworkDriver::kBridge) {
    const std::string driver(to_string(network.driver));
    throw Error(ErrorClass::kPermissionDenied, "only one instance of \"" + driver + "\" network is allowed");
  }
  if (network.range(IpFamily::kV6) != nullptr && !network.enable_ipv6) {
    refuse_config("IPv6 is disabled for network " + network.name + " and an IPv6 subnet is given");
  }
  for (const AddressRange& range : network.ranges) {
    if (address_bits(range.subnet.address.family) - range.subnet.length < 2) {
      refuse_config("invalid subnet " + to_string(range.subnet) + ": no room for a gateway and a container");
    }
  }
  return network;
}

IpAddress gateway_of(const AddressRange& range) { return range.gateway.value_or(range.subnet.address + 1); }

json network_json(const Network& network) {
  json ranges = json::array();
  for (const AddressRange& range : network.ranges) ranges.push_back(range_json(range));
  return {
      {"Name", network.name},
      {"Id", network.id},
      {"Scope", "local"},
      {"Driver", to_string(network.driver)},
      {"EnableIPv4", true},
      {"EnableIPv6", network.enable_ipv6},
      {"IPAM",
       {{"Driver", "default"},
        {"Options", network.ipam_options.empty() ? json() : json(network.ipam_options)},
        {"Config", network.ranges.empty() && network.driver != NetworkDriver::kBridge ? json() : std::move(ranges)}}},
      {"Internal", network.internal},
      {"Attachable", network.attachable},
      {"Ingress", false},
      {"ConfigFrom", {{"Network", ""}}},
      {"ConfigOnly", false},
      {"Options", network.options},
      {"Labels", network.labels},
  };
}

Network network_from_json(const json& stored) {
  JsonFields fields(stored, "");
  Network network;
  read_settings(fields, network);
  network.id = fields.text("Id");
  return network;
}

}  // namespace quoll::mgr
