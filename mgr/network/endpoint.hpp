// A container's place in a network: what its client asked for, and what it has while it runs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mgr/network/ip_address.hpp"
#include "mgr/network/netlink.hpp"

namespace quoll::mgr {

// Docker's EndpointSettings as far as a client sets them.
struct EndpointConfig {
  std::string network;  // name or id, as the client wrote it
  std::vector<std::string> aliases, links;
  std::optional<IpAddress> ipv4, ipv6;
  std::optional<MacAddress> mac;
  std::map<std::string, std::string> driver_options;
  int gateway_priority = 0;

  bool operator==(const EndpointConfig&) const = default;
};

// Errors: kInvalidArgument and kNotImplemented naming the field behind `field`.
EndpointConfig parse_endpoint_config(const std::string& network, const nlohmann::json& settings,
                                     const std::string& field);
// What would have no effect. Apart from the reading, so that what an older daemon has stored can be read: it is refused
// where the client asks for it and where it would be used.
//
// Errors: kNotImplemented naming the option.
void check_driver_options(const EndpointConfig& config);

// One address in its subnet, with the way out.
struct EndpointAddress {
  IpAddress address;
  int prefix_length = 0;
  std::optional<IpAddress> gateway;  // nothing in an internal network

  bool operator==(const EndpointAddress&) const = default;
};

// What a running container has of a network. It is a lease: the addresses are nobody else's until it is released.
struct Endpoint {
  std::string id;  // 64 hexadecimal digits
  std::string host_link, container_link;
  MacAddress mac{};
  std::vector<EndpointAddress> addresses;  // IPv4, then IPv6

  const EndpointAddress* address(IpFamily family) const;
  bool operator==(const Endpoint&) const = default;
};

// A container's membership in a network; it outlives a run, `live` does not.
struct Attachment {
  EndpointConfig config;
  std::string network_id, network_name;
  std::optional<Endpoint> live;

  bool has_link() const { return live && !live->host_link.empty(); }

  bool operator==(const Attachment&) const = default;
};

enum class PortProtocol : std::uint8_t { kTcp, kUdp, kSctp };
std::string_view to_string(PortProtocol protocol);

struct Port {
  std::uint16_t number = 0;
  PortProtocol protocol = PortProtocol::kTcp;

  auto operator<=>(const Port&) const = default;
};

// "80/tcp", "80". Nothing where it is none.
std::optional<Port> parse_port(std::string_view text);
std::string to_string(const Port& port);

// A port of the host that leads to one of a container.
struct PublishedPort {
  Port container;
  IpAddress host_address;
  std::uint16_t host_port = 0;

  auto operator<=>(const PublishedPort&) const = default;
};

// All of a container's network life; replaced whole, so that copies of a state are cheap.
struct ContainerNetwork {
  std::vector<Attachment> attachments;  // in the order in which they were made
  std::vector<PublishedPort> ports;     // while it runs

  Attachment* find(std::string_view network_id);
  const Attachment* find(std::string_view network_id) const;
  bool operator==(const ContainerNetwork&) const = default;
};

// One that many copies of a state share; never null, compared by what it holds.
class SharedNetwork {
 public:
  SharedNetwork();
  explicit SharedNetwork(ContainerNetwork network)
      : network_(std::make_shared<const ContainerNetwork>(std::move(network))) {}
  const ContainerNetwork& operator*() const { return *network_; }
  const ContainerNetwork* operator->() const { return network_.get(); }
  bool operator==(const SharedNetwork& other) const { return *network_ == *other.network_; }

 private:
  std::shared_ptr<const ContainerNetwork> network_;
};

// `network` with nothing of a run.
ContainerNetwork without_run(ContainerNetwork network);

nlohmann::json to_json(const ContainerNetwork& network);
// Errors: kInvalidArgument for a damaged document.
ContainerNetwork container_network_from_json(const nlohmann::json& stored);

// An element of inspect's NetworkSettings.Networks.
nlohmann::json endpoint_inspect_json(const Attachment& attachment, std::string_view container_name,
                                     std::string_view container_id);
// {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}, with an entry of null for a port that is exposed only.
nlohmann::json ports_inspect_json(const ContainerNetwork& network, const std::vector<std::string>& exposed);
// The `Ports` of the list.
nlohmann::json ports_summary_json(const ContainerNetwork& network, const std::vector<std::string>& exposed);

// The names under which others of the network find the container: its name, its aliases, its short id.
std::vector<std::string> dns_names(const Attachment& attachment, std::string_view container_name,
                                   std::string_view container_id);

}  // namespace quoll::mgr
