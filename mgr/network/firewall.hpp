// The one nftables table of this installation: address translation, published ports, isolation.
#pragma once

#include <string>
#include <vector>

#include "mgr/network/endpoint.hpp"
#include "mgr/network/network.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// A network whose bridge is up.
struct BridgeRules {
  std::string bridge;
  std::vector<IpPrefix> subnets;
  std::vector<IpAddress> gateways;
  bool internal = false;
  bool between_containers = true;  // enable_icc
  bool masquerade = true;
};

// Where a published port leads.
struct PortRule {
  PublishedPort port;
  IpAddress target;

  bool operator==(const PortRule&) const = default;
};

// The text of a whole table, which takes the place of the one that is there, in one transaction.
//
// What it holds: a published port is translated on the way in and for the host's own connections; one that is bound to
// 127.0.0.1 is reached from the host alone, since nothing that comes over a bridge may be addressed to the loopback.
// Containers of one network reach each other, those of two do not, those of an internal one nobody else. A container's
// own ports cannot be reached from outside unless they are published. Queries to a network's gateway on port 53 go to
// the name server's port.
// All rules are bound to our own bridges, and the table is our own, so that other programs' rules stay as they are.
std::string table_text(const std::string& table, const std::vector<BridgeRules>& bridges,
                       const std::vector<PortRule>& ports, int dns_port);
// The map that a port is looked up in: by address and port, or by port alone where it is bound to every address.
std::string port_map_name(const PortRule& rule);
std::string remove_table_text(const std::string& table);

// Has nft carry out a text: all of it or nothing.
//
// Errors: kFailedPrecondition where nft is not there; kInternal with its complaint.
task::Task<void> run_nft(std::string text);

}  // namespace quoll::mgr
