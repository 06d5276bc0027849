#include "mgr/network/firewall.hpp"

#include <gtest/gtest.h>

namespace quoll::mgr {
namespace {

PortRule rule(const char* host, std::uint16_t number, const char* target) {
  PortRule rule;
  rule.port = {{80, PortProtocol::kTcp}, *parse_ip_address(host), number};
  rule.target = *parse_ip_address(target);
  return rule;
}

BridgeRules bridge(const char* name, const char* subnet, bool internal) {
  BridgeRules rules{.bridge = name, .internal = internal};
  rules.subnets.push_back(*parse_ip_prefix(subnet));
  rules.gateways.push_back(rules.subnets[0].address + 1);
  return rules;
}

TEST(firewall, ports_are_elements_of_the_map_that_their_address_belongs_to) {
  const std::vector<PortRule> ports{rule("0.0.0.0", 8080, "10.0.0.2"), rule("0.0.0.0", 8081, "10.0.0.2"),
                                    rule("127.0.0.1", 9000, "10.0.0.3"), rule("::", 8080, "fd00::2")};
  const std::string text = table_text("t", {}, ports, 0);
  for (const char* elements : {"{ tcp . 8080 : 10.0.0.2 . 80, tcp . 8081 : 10.0.0.2 . 80 }",
                               "{ tcp . 8080 : fd00::2 . 80 }", "{ 127.0.0.1 . tcp . 9000 : 10.0.0.3 . 80 }"}) {
    EXPECT_NE(text.find(std::string("elements = ") + elements), std::string::npos) << elements;
  }
}

TEST(firewall, every_rule_names_a_bridge_of_ours_or_a_published_port) {
  const std::string text =
      table_text("t", {bridge("br-a", "10.0.0.0/24", false), bridge("br-b", "10.1.0.0/24", true)}, {}, 20053);
  EXPECT_TRUE(text.starts_with("add table inet t\ndelete table inet t\ntable inet t {\n"));
  EXPECT_NE(text.find("iifname @bridges ip daddr 127.0.0.0/8 drop"), std::string::npos);
  EXPECT_NE(text.find("oifname != \"br-a\" ip saddr 10.0.0.0/24 masquerade"), std::string::npos);
  EXPECT_EQ(text.find("oifname != \"br-b\" ip saddr 10.1.0.0/24 masquerade"), std::string::npos);
  EXPECT_NE(text.find("iifname \"br-a\" ip daddr 10.0.0.1 udp dport 53 redirect to :20053"), std::string::npos);
  // An internal network's rules come before those that let published ports through.
  EXPECT_LT(text.find("iifname \"br-b\" drop"), text.find("ct status dnat accept"));
  std::size_t rules = 0;
  for (std::size_t at = text.find("\n    "); at != std::string::npos; at = text.find("\n    ", at + 1)) {
    const std::string line = text.substr(at, text.find('\n', at + 1) - at);
    const bool bound = line.find("ifname") != std::string::npos || line.find(" map @") != std::string::npos;
    EXPECT_TRUE(bound) << line;
    ++rules;
  }
  EXPECT_GT(rules, 10u);
}

TEST(firewall, without_traffic_between_containers_only_published_ports_pass) {
  BridgeRules rules = bridge("br-a", "10.0.0.0/24", false);
  rules.between_containers = false;
  const std::string text = table_text("t", {rules}, {}, 0);
  EXPECT_NE(text.find("iifname \"br-a\" oifname \"br-a\" ct status dnat accept"), std::string::npos);
  EXPECT_NE(text.find("iifname \"br-a\" oifname \"br-a\" drop"), std::string::npos);
  EXPECT_EQ(text.find("dport 53"), std::string::npos);
}

}  // namespace
}  // namespace quoll::mgr
