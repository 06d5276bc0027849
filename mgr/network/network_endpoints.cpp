// A container's places in networks: leases, links, rules and names.
#include <fcntl.h>

#include <algorithm>
#include <fstream>

#include "mgr/container/container_id.hpp"
#include "mgr/network/network_manager.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

// The address's own, so that a neighbour that remembers an earlier owner of the address is not misled.
MacAddress mac_of(const IpAddress& address) {
  MacAddress mac{0x02, 0x42};
  for (std::size_t byte = 0; byte < 4; ++byte) mac[5 - byte] = static_cast<std::uint8_t>(address.number >> (8 * byte));
  return mac;
}

UniqueFd open_namespace(int pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw system_error(errno, "open " + path);
  return fd;
}

bool has_link(const Attachment& attachment) { return attachment.live && !attachment.live->host_link.empty(); }

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
    if (!has_link(attachment)) continue;
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

Endpoint NetworkManager::lease_one(const NetworkMember& member, Attachment attachment, int number) {
  std::lock_guard lock(mutex_);
  Bridge& bridge = bridge_of(attachment.network_id);
  Endpoint endpoint;
  endpoint.id = new_container_id();
  if (bridge.network.driver == NetworkDriver::kBridge && has_bridges()) {
    endpoint.host_link = "veth" + endpoint.id.substr(0, 7);
    endpoint.container_link = "eth" + std::to_string(number);
    try {
      for (auto& [family, pool] : bridge.pools) {
        const auto& wanted = family == IpFamily::kV4 ? attachment.config.ipv4 : attachment.config.ipv6;
        EndpointAddress address{.prefix_length = pool.subnet().length};
        if (wanted) {
          pool.take(*wanted);
          address.address = *wanted;
        } else {
          address.address = pool.take();
        }
        if (!bridge.network.internal) address.gateway = gateway_of(*bridge.network.range(family));
        endpoint.addresses.push_back(address);
      }
    } catch (...) {
      for (const EndpointAddress& address : endpoint.addresses) {
        bridge.pools.at(address.address.family).release(address.address);
      }
      throw;
    }
    endpoint.mac = attachment.config.mac.value_or(mac_of(endpoint.addresses.front().address));
  }
  attachment.live = endpoint;
  bridge.members.insert_or_assign(member.id, Member{member, std::move(attachment)});
  return endpoint;
}

void NetworkManager::forget_member(const std::string& container_id, const Attachment& attachment) {
  std::lock_guard lock(mutex_);
  const auto found = networks_.find(attachment.network_id);
  if (found == networks_.end() || !attachment.live) return;
  const auto member = found->second.members.find(container_id);
  if (member != found->second.members.end() && member->second.attachment.live->id == attachment.live->id) {
    found->second.members.erase(member);
  }
}

void NetworkManager::release_addresses(const Attachment& attachment) {
  std::lock_guard lock(mutex_);
  const auto found = networks_.find(attachment.network_id);
  if (found == networks_.end() || !attachment.live) return;
  for (const EndpointAddress& address : attachment.live->addresses) {
    const auto pool = found->second.pools.find(address.address.family);
    if (pool != found->second.pools.end()) pool->second.release(address.address);
  }
}

// The network of the id, or one of the name that has been made since.
Network NetworkManager::find_for(const Attachment& attachment) const {
  try {
    if (!attachment.network_id.empty()) return find(attachment.network_id);
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kNotFound) throw;
  }
  try {
    return find(attachment.network_name);
  } catch (const Error& error) {
    throw Error(error.error_class(), "failed to set up container networking: " + error.message());
  }
}

task::Task<ContainerNetwork> NetworkManager::lease(NetworkMember member, ContainerNetwork network,
                                                   std::vector<PortBinding> bindings) {
  bool releasing = false;
  {
    std::lock_guard lock(mutex_);
    releasing = releases_ > 0;
  }
  std::exception_ptr failure;
  try {
    co_return co_await lease_now(member, network, bindings);
  } catch (const Error&) {
    failure = std::current_exception();
  }
  if (!releasing) std::rethrow_exception(failure);
  co_await released_.wait();
  co_return co_await lease_now(std::move(member), std::move(network), std::move(bindings));
}

task::Task<ContainerNetwork> NetworkManager::lease_now(NetworkMember member, ContainerNetwork network,
                                                       std::vector<PortBinding> bindings) {
  std::exception_ptr failure;
  std::string default_address;
  try {
    for (Attachment& attachment : network.attachments) {
      attachment.live.reset();
      const Network record = find_for(attachment);
      attachment.network_id = record.id;
      attachment.network_name = record.name;
      if (record.driver == NetworkDriver::kBridge && has_bridges()) co_await bring_up(attachment.network_id);
    }
    int number = 0;
    for (Attachment& attachment : network.attachments) {
      attachment.live = lease_one(member, attachment, number);
      if (has_link(attachment)) ++number;
    }
    std::vector<IpFamily> families;
    for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
      const Attachment* const target = gateway_attachment(network, family);
      if (target == nullptr) continue;
      families.push_back(family);
      if (family == IpFamily::kV4) {
        default_address = find(target->network_id).option("com.docker.network.bridge.host_binding_ipv4", "");
        if (default_address == "0.0.0.0") default_address.clear();
      }
    }
    network.ports.clear();
    if (!bindings.empty() && !has_bridges()) {
      throw Error(ErrorClass::kNotImplemented, "ports cannot be published here: " + shortcomings_[0]);
    }
    if (!bindings.empty()) {
      try {
        network.ports = co_await task::blocking([&] { return ports_.take(bindings, families, default_address); });
      } catch (const Error& error) {
        const Attachment* const target = gateway_attachment(network, IpFamily::kV4);
        throw Error(error.error_class(),
                    "failed to set up container networking: driver failed programming external connectivity on "
                    "endpoint " +
                        member.name + " (" + (target ? target->live->id : "") + "): " + error.message());
      }
    }
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    for (const Attachment& attachment : network.attachments) release_one(member.id, attachment);
    std::rethrow_exception(failure);
  }
  co_return network;
}

// Blocks. `only`: the networks whose links are made; their addresses are those of the leases.
void NetworkManager::plug_links(const ContainerNetwork& network, int init_pid, const std::vector<std::string>& only) {
  const UniqueFd target = open_namespace(init_pid);
  Netlink outside;
  Netlink inside = Netlink::in_namespace(target.get());
  for (const Attachment& attachment : network.attachments) {
    if (!has_link(attachment) || std::ranges::find(only, attachment.network_id) == only.end()) continue;
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
    if (has_link(attachment)) linked.push_back(attachment.network_id);
  }
  if (linked.empty()) co_return;
  co_await task::when_all(make_links(network, init_pid, linked), set_port_rules(member.id, port_rules(network)),
                          tell_names_of(network));
}

task::Task<void> NetworkManager::tell_names_of(ContainerNetwork network) {
  for (const Attachment& attachment : network.attachments) co_await tell_names(attachment.network_id);
}

void NetworkManager::release(const NetworkMember& member, const ContainerNetwork& network, bool namespace_shared) {
  bool has_more = namespace_shared || !network.ports.empty();
  for (const Attachment& attachment : network.attachments) {
    if (!attachment.live) continue;
    forget_member(member.id, attachment);
    has_more = has_more || serves_names(attachment.network_id);
  }
  if (!has_more) {
    for (const Attachment& attachment : network.attachments) release_addresses(attachment);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    ++releases_;
    released_.reset();
  }
  scope_.spawn_on(worker_, "mgr.NetworkManager: release", finish_release(member, network, namespace_shared));
}

bool NetworkManager::serves_names(const std::string& network_id) const {
  std::lock_guard lock(mutex_);
  const auto found = networks_.find(network_id);
  return found != networks_.end() && found->second.network.has_names();
}

// An address is another's only after no rule leads to it any more.
task::Task<void> NetworkManager::finish_release(NetworkMember member, ContainerNetwork network, bool namespace_shared) {
  std::exception_ptr failure;
  try {
    co_await set_port_rules(member.id, {});
    if (namespace_shared) co_await unplug_links(network);
  } catch (...) {
    failure = std::current_exception();
  }
  ports_.release(network.ports);
  for (const Attachment& attachment : network.attachments) release_addresses(attachment);
  try {
    co_await tell_names_of(network);
  } catch (...) {
    failure = std::current_exception();
  }
  {
    std::lock_guard lock(mutex_);
    if (--releases_ == 0) released_.set();
  }
  if (failure) std::rethrow_exception(failure);
}

task::Task<void> NetworkManager::unplug_links(ContainerNetwork network) {
  co_await task::blocking([&] {
    Netlink netlink;
    for (const Attachment& attachment : network.attachments) {
      if (has_link(attachment)) netlink.delete_link(attachment.live->host_link);
    }
  });
}

void NetworkManager::take_up(const NetworkMember& member, const ContainerNetwork& network) {
  {
    std::lock_guard lock(mutex_);
    for (const Attachment& attachment : network.attachments) {
      const auto found = networks_.find(attachment.network_id);
      if (found == networks_.end() || !attachment.live) continue;
      for (const EndpointAddress& address : attachment.live->addresses) {
        const auto pool = found->second.pools.find(address.address.family);
        if (pool != found->second.pools.end()) pool->second.take(address.address);
      }
      found->second.members.insert_or_assign(member.id, Member{member, attachment});
    }
    const std::vector<PortRule> rules = port_rules(network);
    if (!rules.empty()) port_rules_.insert_or_assign(member.id, rules);
  }
  ports_.take_again(network.ports);
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
    if (has_link(leaving)) Netlink().delete_link(leaving.live->host_link);
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
