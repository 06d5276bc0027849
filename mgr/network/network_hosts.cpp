// What networks are on the host: bridges, rules, names.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "mgr/network/netfilter.hpp"
#include "mgr/network/network_manager.hpp"
#include "mgr/network/subnet_choice.hpp"
#include "mgr/short_id.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

void write_setting(const std::string& name, const char* value) {
  std::ofstream file("/proc/sys/net/" + name);
  file << value;
  if (!file.flush()) spdlog::warn("cannot set net/{} to {}", name, value);
}

std::string read_setting(const std::string& name) {
  std::string value;
  std::ifstream("/proc/sys/net/" + name) >> value;
  return value;
}

// Locally administered, and the same for the same name.
MacAddress bridge_mac(const std::string& id) {
  const auto hash = std::hash<std::string>()(id);
  MacAddress mac{0x02, 0x42};
  for (std::size_t byte = 2; byte < mac.size(); ++byte) mac[byte] = static_cast<std::uint8_t>(hash >> (8 * byte));
  return mac;
}

// Another network of this host that has come to use a subnet since it was chosen.
std::optional<IpPrefix> conflict_of(Netlink& netlink, const Network& network, int own_link) {
  for (const Netlink::Route& route : netlink.routes()) {
    if (route.link == own_link) continue;
    for (const AddressRange& range : network.ranges) {
      if (range.subnet.overlaps(route.destination)) return route.destination;
    }
  }
  return std::nullopt;
}

}  // namespace

int mtu_of(const Network& network) {
  const std::string text = network.option("com.docker.network.driver.mtu", "");
  int mtu = 0;
  std::from_chars(text.data(), text.data() + text.size(), mtu);
  return mtu;
}

std::string NetworkManager::bridge_name(const Network& network) const {
  const std::string given = network.option("com.docker.network.bridge.name", "");
  return given.empty() ? "br-" + short_id(network.id) : given;
}

// Blocks.
void NetworkManager::make_bridge(const Network& network) {
  Netlink netlink;
  const std::string name = bridge_name(network);
  std::optional<LinkInfo> link = netlink.find_link(name);
  if (link && link->group != link_group_) {
    throw Error(ErrorClass::kPermissionDenied, "bridge " + name + " of network " + network.name + " is another's link");
  }
  const bool made = !link;
  if (made) {
    netlink.add_bridge(name, link_group_, bridge_mac(network.id), mtu_of(network));
    link = netlink.find_link(name);
  }
  try {
    for (const AddressRange& range : network.ranges) {
      netlink.add_address(link->index, gateway_of(range), range.subnet.length);
    }
  } catch (...) {
    if (made) netlink.delete_link(link->index);
    throw;
  }
  // Where the network has no IPv6, nor have host and containers an address that they could meet by.
  if (network.range(IpFamily::kV6) == nullptr) write_setting("ipv6/conf/" + name + "/disable_ipv6", "1");
  // For connections of the host itself to 127.0.0.1:PORT; the table lets nothing else make use of it.
  write_setting("ipv4/conf/" + name + "/route_localnet", "1");
  if (read_setting("ipv4/ip_forward") != "1") write_setting("ipv4/ip_forward", "1");
  if (network.range(IpFamily::kV6) != nullptr && read_setting("ipv6/conf/all/forwarding") != "1") {
    write_setting("ipv6/conf/all/forwarding", "1");
  }
}

task::Task<void> NetworkManager::bring_up(std::string network_id) {
  {
    std::lock_guard lock(mutex_);
    if (bridge_of(network_id).up) co_return;
  }
  auto guard = co_await changes_.lock();
  Network network;
  {
    std::lock_guard lock(mutex_);
    const Bridge& bridge = bridge_of(network_id);
    if (bridge.up) co_return;
    network = bridge.network;
  }
  co_await task::blocking([&] {
    Netlink netlink;
    const auto link = netlink.find_link(bridge_name(network));
    const auto conflict = conflict_of(netlink, network, link ? link->index : -1);
    if (!conflict) return;
    // A chosen subnet can be chosen anew as long as nobody has an address of it; a client's own choice stays.
    if (network.name != "bridge") {
      throw Error(ErrorClass::kPermissionDenied, "network " + network.name + ": its subnet overlaps " +
                                                     to_string(*conflict) + ", which this host has a route to");
    }
    network.ranges.clear();
    choose_ranges(network);
    store_.save(network);
  });
  {
    std::lock_guard lock(mutex_);
    Bridge& bridge = bridge_of(network_id);
    if (bridge.network != network) {
      bridge.network = network;
      bridge.pools.clear();
      for (const AddressRange& range : network.ranges) {
        bridge.pools.emplace(range.subnet.address.family, AddressPool(range));
      }
    }
  }
  co_await task::blocking([&] {
    std::filesystem::create_directories(options_.directory);
    make_bridge(network);
    if (network.has_names()) names_.choose_port();
  });
  {
    std::lock_guard lock(mutex_);
    bridge_of(network_id).up = true;
  }
  std::exception_ptr failure;
  try {
    co_await write_table();
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  {
    std::lock_guard lock(mutex_);
    bridge_of(network_id).up = false;
  }
  co_await task::blocking([&] { Netlink().delete_link(bridge_name(network)); });
  std::rethrow_exception(failure);
}

// REQUIRES: changes_ is held, and nobody is in the network.
task::Task<void> NetworkManager::take_down(std::string network_id) {
  Network network;
  {
    std::lock_guard lock(mutex_);
    Bridge& bridge = bridge_of(network_id);
    if (!bridge.up) co_return;
    bridge.up = false;
    network = bridge.network;
  }
  co_await names_.update(network_id, std::nullopt);
  co_await write_table();
  co_await task::blocking([&] { Netlink().delete_link(bridge_name(network)); });
}

std::vector<BridgeRules> NetworkManager::bridge_rules() const {
  std::vector<BridgeRules> all;
  for (const auto& [id, bridge] : networks_) {
    if (!bridge.up) continue;
    BridgeRules rules{.bridge = bridge_name(bridge.network), .internal = bridge.network.internal};
    rules.between_containers = bridge.network.option_flag("com.docker.network.bridge.enable_icc", true);
    rules.masquerade = bridge.network.option_flag("com.docker.network.bridge.enable_ip_masquerade", true);
    for (const AddressRange& range : bridge.network.ranges) {
      rules.subnets.push_back(range.subnet);
      if (bridge.network.has_names()) rules.gateways.push_back(gateway_of(range));
    }
    all.push_back(std::move(rules));
  }
  return all;
}

// The table as it shall be now; none where no bridge is up.
task::Task<void> NetworkManager::write_table() {
  auto guard = co_await table_lock_.lock();
  std::string text;
  {
    std::lock_guard lock(mutex_);
    const std::vector<BridgeRules> bridges = bridge_rules();
    std::vector<PortRule> ports;
    for (const auto& [id, rules] : port_rules_) ports.insert(ports.end(), rules.begin(), rules.end());
    text = bridges.empty() ? remove_table_text(table_) : table_text(table_, bridges, ports, names_.port());
  }
  co_await run_nft(std::move(text));
}

task::Task<void> NetworkManager::change_ports(std::vector<PortRule> add, std::vector<PortRule> remove) {
  if (add.empty() && remove.empty()) co_return;
  bool failed = false;
  {
    auto guard = co_await table_lock_.lock();
    try {
      co_await task::blocking([&] { change_port_elements(table_, remove, add); });
    } catch (const Error& error) {
      spdlog::warn("table {} is not as it should be, and is written anew: {}", table_, error.message());
      failed = true;
    }
  }
  if (failed) co_await write_table();
  co_await task::blocking([&] {
    try {
      forget_flows(remove, add);
    } catch (const Error& error) {
      spdlog::warn("flows of datagrams through changed ports go on for a while: {}", error.message());
    }
  });
}

task::Task<void> NetworkManager::tell_names(std::string network_id) {
  std::optional<NetworkNames> names;
  {
    std::lock_guard lock(mutex_);
    const auto found = networks_.find(network_id);
    if (found == networks_.end() || !found->second.network.has_names()) co_return;
    const Bridge& bridge = found->second;
    if (!bridge.members.empty()) {
      names.emplace();
      names->internal = bridge.network.internal;
      for (const AddressRange& range : bridge.network.ranges) names->listen.push_back(gateway_of(range));
      for (const auto& [id, member] : bridge.members) {
        NamedContainer container{.id = id, .servers = member.who.dns};
        for (const EndpointAddress& address : member.attachment.live->addresses) {
          container.addresses.push_back(address.address);
        }
        container.names = dns_names(member.attachment, member.who.name, id);
        names->containers.push_back(std::move(container));
      }
    }
  }
  co_await names_.update(network_id, std::move(names));
}

task::Task<void> NetworkManager::settle() {
  std::vector<std::string> kept_links, used;
  bool had_links = false;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, bridge] : networks_) {
      if (bridge.members.empty()) continue;
      used.push_back(id);
      kept_links.push_back(bridge_name(bridge.network));
      for (const auto& [container, member] : bridge.members) kept_links.push_back(member.attachment.live->host_link);
    }
  }
  if (!has_bridges()) co_return;
  co_await task::blocking([&] {
    Netlink netlink;
    for (const LinkInfo& link : netlink.links()) {
      if (link.group != link_group_) continue;
      had_links = true;
      if (std::ranges::find(kept_links, link.name) == kept_links.end()) netlink.delete_link(link.index);
    }
  });
  co_await names_.keep_only(used);
  for (const std::string& id : used) {
    co_await bring_up(id);
    co_await tell_names(id);
  }
  if (used.empty() && (had_links || std::filesystem::exists(options_.directory))) co_await write_table();
}

task::Task<void> NetworkManager::stop() {
  co_await scope_.join();
  std::vector<std::string> unused;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, bridge] : networks_) {
      if (bridge.up && bridge.members.empty()) unused.push_back(id);
    }
  }
  auto guard = co_await changes_.lock();
  for (const std::string& id : unused) co_await take_down(id);
}

}  // namespace quoll::mgr
