// Networks: their records.
#include "mgr/network/network_manager.hpp"

#include <algorithm>
#include <cstdlib>

#include "mgr/container/container_id.hpp"
#include "mgr/log_failure.hpp"
#include "mgr/network/host_facts.hpp"
#include "mgr/network/subnet_choice.hpp"
#include "mgr/short_id.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr const char* kBridgeName = "com.docker.network.bridge.name";

// Marks links as an installation's. 0 is every other link's group.
std::uint32_t group_of(const std::string& installation) {
  const auto number = static_cast<std::uint32_t>(std::strtoul(installation.substr(0, 8).c_str(), nullptr, 16));
  return (number & 0x3fffffff) | 1u << 30;  // no negative number, which the ip command would not take
}

Error not_found(std::string_view reference) {
  return {ErrorClass::kNotFound, "network " + std::string(reference) + " not found"};
}

}  // namespace

NetworkManager::NetworkManager(task::Worker& worker, NetworkManagerOptions options, NetworkStore& store)
    : worker_(worker),
      options_(std::move(options)),
      link_group_(group_of(options_.installation)),
      table_("quoll_" + options_.installation.substr(0, 12)),
      default_bridge_("quoll-" + options_.installation.substr(0, 8)),
      store_(store),
      shortcomings_(bridge_shortcomings()),
      names_(find_aardvark(), options_.directory),
      scope_("mgr.NetworkManager", task::Scope::Kind::kRoot, log_failure) {
  released_.set();
}

NetworkManager::~NetworkManager() = default;

task::Task<void> NetworkManager::open() {
  for (Network& network : co_await task::blocking([this] { return store_.load_all(); })) add(std::move(network));
  constexpr std::pair<const char*, NetworkDriver> kPredefined[] = {
      {"bridge", NetworkDriver::kBridge}, {"host", NetworkDriver::kHost}, {"none", NetworkDriver::kNull}};
  for (const auto& [name, driver] : kPredefined) {
    if (find_bridge(name) != nullptr) continue;
    Network network;
    network.id = new_container_id();
    network.name = name;
    network.created_ns = wall_now_ns();
    network.driver = driver;
    if (driver == NetworkDriver::kBridge) {
      network.options = {{"com.docker.network.bridge.default_bridge", "true"},
                         {"com.docker.network.bridge.enable_icc", "true"},
                         {"com.docker.network.bridge.enable_ip_masquerade", "true"},
                         {"com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"},
                         {kBridgeName, default_bridge_},
                         {"com.docker.network.driver.mtu", "1500"}};
    }
    co_await task::blocking([&] {
      if (driver == NetworkDriver::kBridge) choose_ranges(network);
      store_.save(network);
    });
    add(std::move(network));
  }
}

void NetworkManager::add(Network network) {
  Bridge bridge{.network = std::move(network)};
  for (const AddressRange& range : bridge.network.ranges) {
    bridge.pools.emplace(range.subnet.address.family, AddressPool(range));
  }
  std::lock_guard lock(mutex_);
  const std::string id = bridge.network.id;
  networks_.emplace(id, std::move(bridge));
}

NetworkManager::Bridge& NetworkManager::bridge_of(const std::string& network_id) {
  const auto found = networks_.find(network_id);
  if (found == networks_.end()) throw not_found(network_id);
  return found->second;
}

// A name or a whole id first, then a prefix of an id that only one has.
const NetworkManager::Bridge* NetworkManager::find_bridge(std::string_view reference) const {
  const Bridge* by_prefix = nullptr;
  bool ambiguous = false;
  for (const auto& [id, bridge] : networks_) {
    if (id == reference || bridge.network.name == reference) return &bridge;
    if (reference.empty() || !id.starts_with(reference)) continue;
    ambiguous = by_prefix != nullptr;
    by_prefix = &bridge;
  }
  if (ambiguous) {
    throw Error(ErrorClass::kInvalidArgument,
                "network " + std::string(reference) + " is ambiguous (2 matches found on ID prefix)");
  }
  return by_prefix;
}

Network NetworkManager::find(std::string_view reference) const {
  std::lock_guard lock(mutex_);
  const Bridge* const bridge = find_bridge(reference);
  if (bridge == nullptr) throw not_found(reference);
  return bridge->network;
}

std::vector<Network> NetworkManager::list() const {
  std::vector<Network> networks;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, bridge] : networks_) networks.push_back(bridge.network);
  }
  std::ranges::sort(networks, {}, [](const Network& network) { return std::pair(network.created_ns, network.id); });
  return networks;
}

std::vector<NetworkMemberInfo> NetworkManager::members(const std::string& network_id) const {
  std::vector<NetworkMemberInfo> members;
  std::lock_guard lock(mutex_);
  const auto found = networks_.find(network_id);
  if (found == networks_.end()) return members;
  for (const auto& [id, member] : found->second.members) {
    members.push_back({id, member.who.name, *member.attachment.live});
  }
  return members;
}

// Blocks for the kernel's routes.
void NetworkManager::choose_ranges(Network& network) const {
  std::vector<IpPrefix> used;
  for (const Netlink::Route& route : Netlink().routes()) used.push_back(route.destination);
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, bridge] : networks_) {
      for (const AddressRange& range : bridge.network.ranges) used.push_back(range.subnet);
    }
  }
  const auto add_range = [&network](const IpPrefix& subnet) {
    AddressRange range;
    range.subnet = subnet;
    network.ranges.push_back(range);
  };
  if (network.range(IpFamily::kV4) == nullptr) add_range(choose_ipv4_subnet(used));
  if (network.enable_ipv6 && network.range(IpFamily::kV6) == nullptr) {
    add_range(choose_ipv6_subnet(options_.installation, used));
  }
  for (AddressRange& range : network.ranges) range.gateway = gateway_of(range);
  std::ranges::sort(network.ranges, {}, [](const AddressRange& range) { return range.subnet.address.family; });
}

// REQUIRES: mutex_ is held.
void NetworkManager::check_ranges(const Network& network) const {
  for (const auto& [id, bridge] : networks_) {
    if (bridge.network.name == network.name) {
      throw Error(ErrorClass::kConflict, "network with name " + network.name + " already exists");
    }
    const std::string bridge_name = network.option(kBridgeName, "");
    if (!bridge_name.empty() && bridge.network.option(kBridgeName, "") == bridge_name) {
      throw Error(ErrorClass::kPermissionDenied, "cannot create network " + network.id + " (" + bridge_name +
                                                     "): conflicts with network " + id + " (" + bridge_name +
                                                     "): networks have same bridge name");
    }
    for (const AddressRange& range : network.ranges) {
      for (const AddressRange& other : bridge.network.ranges) {
        if (!range.subnet.overlaps(other.subnet)) continue;
        throw Error(ErrorClass::kPermissionDenied,
                    "invalid pool request: Pool overlaps with other one on this address space");
      }
    }
  }
}

task::Task<NetworkManager::Created> NetworkManager::create(Network network) {
  if (network.is_predefined() || network.name == "default") {
    throw Error(ErrorClass::kPermissionDenied, "operation is not permitted on predefined " + network.name + " network");
  }
  if (!has_bridges()) {
    throw Error(ErrorClass::kNotImplemented, "bridge networks cannot be had here: " + shortcomings_[0]);
  }
  auto guard = co_await changes_.lock();
  network.id = new_container_id();
  network.created_ns = wall_now_ns();
  {
    std::lock_guard lock(mutex_);
    check_ranges(network);
  }
  co_await task::blocking([&] {
    choose_ranges(network);
    store_.save(network);
  });
  const std::string id = network.id;
  add(std::move(network));
  co_return Created{id, ""};
}

task::Task<void> NetworkManager::remove(std::string id) {
  auto guard = co_await changes_.lock();
  {
    std::lock_guard lock(mutex_);
    const Bridge& bridge = bridge_of(id);
    if (bridge.network.is_predefined()) {
      throw Error(ErrorClass::kPermissionDenied,
                  bridge.network.name + " is a pre-defined network and cannot be removed");
    }
    if (!bridge.members.empty()) {
      std::string users;
      for (const auto& [container_id, member] : bridge.members) {
        users += (users.empty() ? "" : ", ") + std::string("name:\"") + member.who.name + "\" id:\"" +
                 short_id(member.attachment.live->id) + "\"";
      }
      throw Error(ErrorClass::kPermissionDenied, "error while removing network: network " + bridge.network.name +
                                                     " has active endpoints (" + users + ")");
    }
  }
  co_await take_down(id);
  co_await task::blocking([&] { store_.remove(id); });
  std::lock_guard lock(mutex_);
  networks_.erase(id);
}

void check_endpoint(const Network& network, const EndpointConfig& config) {
  std::string problems;
  if (network.is_predefined()) {
    if (config.ipv4 || config.ipv6)
      problems += "\nuser specified IP address is supported on user defined networks only";
    if (!config.aliases.empty()) {
      problems += "\nnetwork-scoped alias is supported only for containers in user defined networks";
    }
  }
  for (const auto& [address, family] : {std::pair(config.ipv4, IpFamily::kV4), std::pair(config.ipv6, IpFamily::kV6)}) {
    if (!address || network.is_predefined()) continue;
    const AddressRange* const range = network.range(family);
    if (range == nullptr || !range->subnet.contains(*address)) {
      problems += "\nno configured subnet or ip-range contain the IP address " + to_string(*address);
    }
  }
  if (!problems.empty()) throw Error(ErrorClass::kInvalidArgument, "invalid endpoint settings:" + problems);
}

ContainerNetwork NetworkManager::resolve(const std::string& mode, const std::vector<EndpointConfig>& endpoints) const {
  ContainerNetwork network;
  if (mode.starts_with("container:")) return network;
  std::lock_guard lock(mutex_);
  const auto add_attachment = [&](const EndpointConfig& config) {
    check_driver_options(config);
    const std::string& wanted = config.network == "default" ? std::string("bridge") : config.network;
    const Bridge* const bridge = find_bridge(wanted);
    if (bridge == nullptr) {  // may be made before the start
      network.attachments.push_back({config, "", config.network, std::nullopt});
      return;
    }
    if (network.find(bridge->network.id) != nullptr) return;
    check_endpoint(bridge->network, config);
    network.attachments.push_back({config, bridge->network.id, bridge->network.name, std::nullopt});
  };
  // The network of the mode comes first: its link is eth0.
  const std::string first = mode == "default" ? "bridge" : mode;
  const Bridge* const main = find_bridge(first);
  const auto is_main = [&](const EndpointConfig& config) {
    if (config.network == mode || config.network == first) return true;
    return main != nullptr && find_bridge(config.network == "default" ? "bridge" : config.network) == main;
  };
  const auto own = std::ranges::find_if(endpoints, is_main);
  EndpointConfig plain;
  plain.network = first;
  add_attachment(own == endpoints.end() ? plain : *own);
  for (const EndpointConfig& config : endpoints) {
    if (!is_main(config)) add_attachment(config);
  }
  return network;
}

}  // namespace quoll::mgr
