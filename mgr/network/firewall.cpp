#include "mgr/network/firewall.hpp"

#include <chrono>
#include <map>

#include "task/error.hpp"
#include "task/process.hpp"

namespace quoll::mgr {
namespace {

constexpr auto kNftTimeMax = std::chrono::seconds(30);

std::string quoted(const std::string& name) { return "\"" + name + "\""; }

const char* family_word(IpFamily family) { return family == IpFamily::kV4 ? "ip" : "ip6"; }

std::string element(const PortRule& rule) {
  std::string text;
  if (!rule.port.host_address.is_unspecified()) text = to_string(rule.port.host_address) + " . ";
  text.append(to_string(rule.port.container.protocol)).append(" . ").append(std::to_string(rule.port.host_port));
  return text + " : " + to_string(rule.target) + " . " + std::to_string(rule.port.container.number);
}

std::map<std::string, std::string> elements_by_map(const std::vector<PortRule>& ports) {
  std::map<std::string, std::string> by_map;
  for (const PortRule& rule : ports) {
    std::string& list = by_map[port_map_name(rule)];
    if (!list.empty()) list += ", ";
    list += element(rule);
  }
  return by_map;
}

std::string map_text(const std::string& name, const std::string& key_type, const std::string& address_type,
                     const std::string& elements) {
  std::string text = "  map " + name + " { type " + key_type + " : " + address_type + " . inet_service;";
  if (!elements.empty()) text += " elements = { " + elements + " }";
  return text + " }\n";
}

std::string maps_text(const std::vector<PortRule>& ports) {
  auto elements = elements_by_map(ports);
  return map_text("own4", "ipv4_addr . inet_proto . inet_service", "ipv4_addr", elements["own4"]) +
         map_text("any4", "inet_proto . inet_service", "ipv4_addr", elements["any4"]) +
         map_text("own6", "ipv6_addr . inet_proto . inet_service", "ipv6_addr", elements["own6"]) +
         map_text("any6", "inet_proto . inet_service", "ipv6_addr", elements["any6"]);
}

std::string bridge_set_text(const std::vector<BridgeRules>& bridges) {
  std::string names;
  for (const BridgeRules& rules : bridges) names += (names.empty() ? "" : ", ") + quoted(rules.bridge);
  return "  set bridges { type ifname;" + (names.empty() ? "" : " elements = { " + names + " }") + " }\n";
}

// Both for what comes in and for what the host itself sends.
std::string translation_text() {
  std::string text;
  for (const char* version : {"4", "6"}) {
    const std::string ip = *version == '4' ? "ip" : "ip6";
    const std::string protocol = *version == '4' ? "ipv4" : "ipv6";
    text += "    meta nfproto " + protocol + " dnat " + ip + " to " + ip + " daddr . meta l4proto . th dport map @own" +
            version + "\n";
    text += "    meta nfproto " + protocol + " fib daddr type local dnat " + ip +
            " to meta l4proto . th dport map @any" + version + "\n";
  }
  return text;
}

std::string names_text(const std::vector<BridgeRules>& bridges, int dns_port) {
  std::string text;
  if (dns_port == 0) return text;
  for (const BridgeRules& rules : bridges) {
    for (const IpAddress& gateway : rules.gateways) {
      const std::string ip = family_word(gateway.family);
      text += "    iifname " + quoted(rules.bridge) + " " + ip + " daddr " + to_string(gateway) +
              " udp dport 53 redirect to :" + std::to_string(dns_port) + "\n";
    }
  }
  return text;
}

std::string postrouting_text(const std::vector<BridgeRules>& bridges) {
  // A connection from the host's loopback to a published port needs a source that the container can answer to.
  std::string text = "    oifname @bridges ip saddr 127.0.0.0/8 masquerade\n";
  for (const BridgeRules& rules : bridges) {
    for (const IpPrefix& subnet : rules.subnets) {
      const std::string ip = family_word(subnet.address.family);
      const std::string source = ip + " saddr " + to_string(subnet);
      // From a container to a published port of its own network: the answer must come back the same way.
      text += "    oifname " + quoted(rules.bridge) + " " + source + " ct status dnat masquerade\n";
      if (rules.internal || !rules.masquerade) continue;
      text += "    oifname != " + quoted(rules.bridge) + " " + source + " masquerade\n";
    }
  }
  return text;
}

std::string forward_text(const std::vector<BridgeRules>& bridges) {
  std::string text;
  for (const BridgeRules& rules : bridges) {
    const std::string in = "    iifname " + quoted(rules.bridge);
    const std::string out = " oifname " + quoted(rules.bridge);
    text += in + out + (rules.between_containers ? " accept\n" : " ct status dnat accept\n" + in + out + " drop\n");
    if (!rules.internal) continue;
    text += in + " drop\n   " + out + " drop\n";
  }
  return text +
         "    oifname @bridges ct state established,related accept\n"
         "    oifname @bridges ct status dnat accept\n"
         "    oifname @bridges drop\n";
}

}  // namespace

std::string table_text(const std::string& table, const std::vector<BridgeRules>& bridges,
                       const std::vector<PortRule>& ports, int dns_port) {
  return remove_table_text(table) + "table inet " + table + " {\n" + maps_text(ports) + bridge_set_text(bridges) +
         "  chain loopback { type filter hook prerouting priority raw; policy accept;\n"
         "    iifname @bridges ip daddr 127.0.0.0/8 drop\n"
         "  }\n"
         "  chain published_in { type nat hook prerouting priority dstnat; policy accept;\n" +
         names_text(bridges, dns_port) + translation_text() +
         "  }\n"
         "  chain published_out { type nat hook output priority -100; policy accept;\n" +
         translation_text() +
         "  }\n"
         "  chain source { type nat hook postrouting priority srcnat; policy accept;\n" +
         postrouting_text(bridges) +
         "  }\n"
         "  chain between { type filter hook forward priority filter; policy accept;\n" +
         forward_text(bridges) + "  }\n}\n";
}

std::string port_map_name(const PortRule& rule) {
  const bool v4 = rule.target.family == IpFamily::kV4;
  return std::string(rule.port.host_address.is_unspecified() ? "any" : "own") + (v4 ? "4" : "6");
}

// An `add` first makes the `delete` succeed where there is none.
std::string remove_table_text(const std::string& table) {
  return "add table inet " + table + "\ndelete table inet " + table + "\n";
}

task::Task<void> run_nft(std::string text) {
  task::CommandOptions options;
  options.standard_input = std::move(text);
  options.time_limit = kNftTimeMax;
  const task::CommandResult result = co_await task::run_command({"nft", "-f", "-"}, std::move(options));
  if (result.exit.success()) co_return;
  throw Error(ErrorClass::kInternal, "nft: " + result.standard_error.substr(0, result.standard_error.find('\n')));
}

}  // namespace quoll::mgr
