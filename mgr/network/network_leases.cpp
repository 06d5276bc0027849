// Leases: the addresses and ports that a container has from before its run until after it.
#include "mgr/container/container_id.hpp"
#include "mgr/network/network_manager.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

// The address's own, so that a neighbour that remembers an earlier owner of the address is not misled.
MacAddress mac_of(const IpAddress& address) {
  MacAddress mac{0x02, 0x42};
  for (std::size_t byte = 0; byte < 4; ++byte) mac[5 - byte] = static_cast<std::uint8_t>(address.number >> (8 * byte));
  return mac;
}

}  // namespace

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
      check_driver_options(attachment.config);
      const Network record = find_for(attachment);
      attachment.network_id = record.id;
      attachment.network_name = record.name;
      if (record.driver == NetworkDriver::kBridge && has_bridges()) co_await bring_up(attachment.network_id);
    }
    int number = 0;
    for (Attachment& attachment : network.attachments) {
      attachment.live = lease_one(member, attachment, number);
      if (attachment.has_link()) ++number;
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

}  // namespace quoll::mgr
