#include "mgr/network/endpoint.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mgr/network/network_manager.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

Attachment attachment(const char* name, const char* address, const char* gateway) {
  Attachment result;
  result.config.network = name;
  result.network_id = std::string("id-") + name;
  result.network_name = name;
  result.live.emplace();
  result.live->id = "e";
  result.live->host_link = "veth0";
  result.live->container_link = "eth0";
  result.live->mac = *parse_mac_address("02:42:00:00:00:09");
  EndpointAddress own{.address = *parse_ip_address(address), .prefix_length = 24};
  if (*gateway != '\0') own.gateway = parse_ip_address(gateway);
  result.live->addresses.push_back(own);
  return result;
}

TEST(endpoint, what_is_stored_comes_back_equal) {
  ContainerNetwork network;
  network.attachments = {attachment("a", "10.0.0.2", "10.0.0.1"), attachment("b", "10.1.0.2", "")};
  network.attachments[0].config.aliases = {"x"};
  network.attachments[0].config.ipv4 = parse_ip_address("10.0.0.2");
  network.attachments[1].live.reset();
  network.ports = {{{53, PortProtocol::kUdp}, *parse_ip_address("127.0.0.1"), 5353}};
  EXPECT_EQ(container_network_from_json(to_json(network)), network);
  EXPECT_EQ(container_network_from_json(to_json(ContainerNetwork())), ContainerNetwork());
  EXPECT_THROW(container_network_from_json(nlohmann::json{{"attachments", 1}}), Error);
}

TEST(endpoint, the_way_out_is_by_priority_then_by_name_and_never_an_internal_network) {
  ContainerNetwork network;
  network.attachments = {attachment("zoo", "10.0.0.2", "10.0.0.1"), attachment("bar", "10.1.0.2", "10.1.0.1"),
                         attachment("aaa", "10.2.0.2", "")};
  EXPECT_EQ(gateway_attachment(network, IpFamily::kV4)->network_name, "bar");
  network.attachments[0].config.gateway_priority = 1;
  EXPECT_EQ(gateway_attachment(network, IpFamily::kV4)->network_name, "zoo");
  EXPECT_EQ(gateway_attachment(network, IpFamily::kV6), nullptr);
  network.ports = {{{80, PortProtocol::kTcp}, {IpFamily::kV4, 0}, 8080},
                   {{80, PortProtocol::kTcp}, {IpFamily::kV6, 0}, 8080}};
  const auto rules = port_rules(network);
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(to_string(rules[0].target), "10.0.0.2");
}

TEST(endpoint, names_are_the_containers_its_aliases_and_its_short_id_once_each) {
  Attachment place = attachment("a", "10.0.0.2", "");
  place.config.aliases = {"www", "web"};
  EXPECT_EQ(dns_names(place, "web", "0123456789abcdef"), (std::vector<std::string>{"web", "www", "0123456789ab"}));
}

TEST(endpoint, ports_are_read_and_shown) {
  EXPECT_EQ(to_string(*parse_port("80")), "80/tcp");
  EXPECT_EQ(to_string(*parse_port("53/udp")), "53/udp");
  for (const char* text : {"", "/tcp", "x", "80/xyz", "70000", "80-90/tcp"}) EXPECT_FALSE(parse_port(text)) << text;
  ContainerNetwork network;
  network.ports = {{{80, PortProtocol::kTcp}, {IpFamily::kV4, 0}, 8080}};
  EXPECT_EQ(ports_inspect_json(network, {"80/tcp", "53/udp"}).dump(),
            R"({"53/udp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]})");
  EXPECT_EQ(ports_summary_json(network, {"80/tcp", "53/udp"}).size(), 2u);
}

TEST(mac_address, is_read_and_written) {
  EXPECT_EQ(to_string(*parse_mac_address("02:42:AC:11:00:02")), "02:42:ac:11:00:02");
  for (const char* text : {"", "02:42:ac:11:00", "02:42:ac:11:00:0g", "02:42:ac:11:00:02:03", "02.42.ac.11.00.02"}) {
    EXPECT_FALSE(parse_mac_address(text)) << text;
  }
}

}  // namespace
}  // namespace quoll::mgr
