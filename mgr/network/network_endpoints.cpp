// A container's endpoints on the host, of addresses that it has: links, routes, port rules and names.
#include <fcntl.h>

#include <algorithm>
#include <fstream>

#include "mgr/network/network_manager.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

UniqueFd open_namespace(int pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw system_error(errno, "open " + path);
  return fd;
}

void set_default_routes(Netlink& inside, const ContainerNetwork& network) {
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const Attachment* const way_out = gateway_attachment(network, family);
    inside.delete_default_route(family);
    if (way_out == nullptr) continue;
    const auto link = inside.find_link(way_out->live->container_link);
    if (link) inside.add_default_route(link->index, *way_out->live->address(family)->gateway);
  }
}

// Of a link that is not up yet. The thread is in the container's namespace.
void set_link_settings(const Endpoint& live) {
  // Tells the bridge that the address lives here now: the link of a container that had it before may still be there.
  std::ofstream("/proc/sys/net/ipv4/conf/" + live.container_link + "/arp_notify") << "1";
  if (live.address(IpFamily::kV6) != nullptr) return;
  std::ofstream("/proc/sys/net/ipv6/conf/" + live.container_link + "/disable_ipv6") << "1";
}

// The next number that no link of the container has.
int next_link_number(const ContainerNetwork& network) {
  for (int number = 0;; ++number) {
    const std::string name = "eth" + std::to_string(number);
    const bool taken = std::ranges::any_of(network.attachments, [&](const Attachment& attachment) {
      return attachment.live && attachment.live->container_link == name;
    });
    if (!taken) return number;
  }
}

}  // namespace

const Attachment* gateway_attachment(const ContainerNetwork& network, IpFamily family) {
  const Attachment* best = nullptr;
  for (const Attachment& attachment : network.attachments) {
    if (!attachment.has_link()) continue;
    const EndpointAddress* const address = attachment.live->address(family);
    if (address == nullptr || !address->gateway) continue;
    const auto rank = [](const Attachment& of) { return std::pair(-of.config.gateway_priority, of.network_name); };
    if (best == nullptr || rank(attachment) < rank(*best)) best = &attachment;
  }
  return best;
}

std::vector<PortRule> port_rules(const ContainerNetwork& network) {
  std::vector<PortRule> rules;
  for (const PublishedPort& port : network.ports) {
    const Attachment* const target = gateway_attachment(network, port.host_address.family);
    if (target == nullptr) continue;
    rules.push_back({port, target->live->address(port.host_address.family)->address});
  }
  return rules;
}

// Blocks. `only`: the networks whose links are made; their addresses are those of the leases.
void NetworkManager::plug_links(const ContainerNetwork& network, int init_pid, const std::vector<std::string>& only) {
  const UniqueFd target = open_namespace(init_pid);
  Netlink outside;
  Netlink inside = Netlink::in_namespace(target.get());
  for (const Attachment& attachment : network.attachments) {
    if (!attachment.has_link() || std::ranges::find(only, attachment.network_id) == only.end()) continue;
    const Endpoint& live = *attachment.live;
    const Network record = find(attachment.network_id);
    const auto bridge = outside.find_link(bridge_name(record));
    if (!bridge) throw Error(ErrorClass::kInternal, "bridge " + bridge_name(record) + " is gone");
    outside.add_pair(live.host_link, link_group_, bridge->index, mtu_of(record),
                     {target.get(), live.container_link, live.mac});
    if (const auto port = outside.find_link(live.host_link)) {
      outside.set_bridge_port(port->index, !record.option_flag("com.docker.network.bridge.enable_icc", true));
    }
    run_in_namespace(target.get(), [&live] { set_link_settings(live); });
    const auto link = inside.find_link(live.container_link);
    if (!link) throw Error(ErrorClass::kInternal, "link " + live.container_link + " is gone");
    for (const EndpointAddress& address : live.addresses) {
      inside.add_address(link->index, address.address, address.prefix_length);
    }
    inside.set_up(link->index);
  }
  set_default_routes(inside, network);
}

task::Task<void> NetworkManager::make_links(ContainerNetwork network, int init_pid, std::vector<std::string> only) {
  co_await task::blocking([&] { plug_links(network, init_pid, only); });
}

task::Task<void> NetworkManager::set_port_rules(std::string container_id, std::vector<PortRule> rules) {
  std::vector<PortRule> before;
  {
    std::lock_guard lock(mutex_);
    std::vector<PortRule>& entry = port_rules_[container_id];
    before = std::exchange(entry, rules);
    if (rules.empty()) port_rules_.erase(container_id);
  }
  if (before != rules) co_await change_ports(std::move(rules), std::move(before));
}

task::Task<void> NetworkManager::plug(NetworkMember member, ContainerNetwork network, int init_pid) {
  std::vector<std::string> linked;
  for (const Attachment& attachment : network.attachments) {
    if (attachment.has_link()) linked.push_back(attachment.network_id);
  }
  if (linked.empty()) co_return;
  co_await task::when_all(make_links(network, init_pid, linked), set_port_rules(member.id, port_rules(network)),
                          tell_names_of(network));
}

task::Task<void> NetworkManager::tell_names_of(ContainerNetwork network) {
  for (const Attachment& attachment : network.attachments) co_await tell_names(attachment.network_id);
}

task::Task<void> NetworkManager::unplug_links(ContainerNetwork network) {
  co_await task::blocking([&] {
    Netlink netlink;
    for (const Attachment& attachment : network.attachments) {
      if (attachment.has_link()) netlink.delete_link(attachment.live->host_link);
    }
  });
}

task::Task<ContainerNetwork> NetworkManager::join(NetworkMember member, ContainerNetwork network, Attachment attachment,
                                                  int init_pid) {
  const Network record = find(attachment.network_id);
  if (record.driver == NetworkDriver::kBridge) co_await bring_up(attachment.network_id);
  attachment.live = lease_one(member, attachment, next_link_number(network));
  network.attachments.push_back(attachment);
  std::exception_ptr failure;
  try {
    co_await task::blocking([&] { plug_links(network, init_pid, {attachment.network_id}); });
    co_await set_port_rules(member.id, port_rules(network));
    co_await tell_names(attachment.network_id);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    std::erase_if(network.attachments,
                  [&](const Attachment& other) { return other.network_id == attachment.network_id; });
    co_await set_port_rules(member.id, port_rules(network));
    co_await task::blocking([&] { Netlink().delete_link(attachment.live->host_link); });
    release_one(member.id, attachment);
    std::rethrow_exception(failure);
  }
  co_return network;
}

task::Task<ContainerNetwork> NetworkManager::leave(NetworkMember member, ContainerNetwork network,
                                                   std::string network_id, int init_pid) {
  const Attachment* const found = network.find(network_id);
  if (found == nullptr || !found->live) co_return network;
  const Attachment leaving = *found;
  std::erase_if(network.attachments, [&](const Attachment& other) { return other.network_id == network_id; });
  co_await set_port_rules(member.id, port_rules(network));
  co_await task::blocking([&] {
    if (leaving.has_link()) Netlink().delete_link(leaving.live->host_link);
    const UniqueFd target = open_namespace(init_pid);
    Netlink inside = Netlink::in_namespace(target.get());
    set_default_routes(inside, network);
  });
  release_one(member.id, leaving);
  co_await tell_names(network_id);
  co_return network;
}

task::Task<void> NetworkManager::rename(NetworkMember member, ContainerNetwork network) {
  {
    std::lock_guard lock(mutex_);
    for (const Attachment& attachment : network.attachments) {
      const auto found = networks_.find(attachment.network_id);
      if (found == networks_.end()) continue;
      const auto entry = found->second.members.find(member.id);
      if (entry != found->second.members.end()) entry->second.who = member;
    }
  }
  co_await tell_names_of(network);
}

std::vector<IpAddress> NetworkManager::name_servers(const ContainerNetwork& network) const {
  std::vector<IpAddress> servers;
  if (!names_.available()) return servers;
  for (const Attachment& attachment : network.attachments) {
    if (!attachment.live) continue;
    const Network record = find(attachment.network_id);
    if (!record.has_names()) continue;
    for (const AddressRange& range : record.ranges) servers.push_back(gateway_of(range));
    break;
  }
  return servers;
}

}  // namespace quoll::mgr
