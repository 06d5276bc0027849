// A network: its record, and what POST /networks/create may ask for.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/network/ip_address.hpp"

namespace quoll::mgr {

// One subnet of a network, with what may be given to containers.
struct AddressRange {
  IpPrefix subnet;
  std::optional<IpPrefix> ip_range;            // within the subnet; nothing: all of it
  std::optional<IpAddress> gateway;            // nothing: the subnet's first address
  std::map<std::string, IpAddress> auxiliary;  // addresses that others have

  bool operator==(const AddressRange&) const = default;
};

enum class NetworkDriver { kBridge, kHost, kNull };

struct Network {
  std::string id;
  std::string name;
  std::int64_t created_ns = 0;
  NetworkDriver driver = NetworkDriver::kBridge;
  bool enable_ipv6 = false;
  bool internal = false;
  bool attachable = false;
  std::map<std::string, std::string> options, labels;
  std::map<std::string, std::string> ipam_options;
  std::vector<AddressRange> ranges;  // of a bridge: one IPv4, then possibly one IPv6

  bool operator==(const Network&) const = default;

  // The three that are always there.
  bool is_predefined() const { return name == "bridge" || name == "host" || name == "none"; }
  // Containers of the default bridge find each other by address only, as in Docker.
  bool has_names() const { return driver == NetworkDriver::kBridge && !is_predefined(); }
  const AddressRange* range(IpFamily family) const;
  std::string option(std::string_view key, std::string_view fallback) const;
  bool option_flag(std::string_view key, bool fallback) const;
};

// Docker's word: "bridge", "host", "null".
std::string_view to_string(NetworkDriver driver);

// Reads the body of POST /networks/create; the ranges are empty where the client left them open.
//
// Errors: kInvalidArgument in Docker's words; kNotImplemented naming what Quoll does not do; kNotFound for a driver
// that
//         is not there, as Docker has it.
Network parse_network(const nlohmann::json& body);

// The gateway where none was named.
IpAddress gateway_of(const AddressRange& range);

// For the store, both ways, in the form of inspect.
nlohmann::json network_json(const Network& network);
Network network_from_json(const nlohmann::json& stored);

}  // namespace quoll::mgr
