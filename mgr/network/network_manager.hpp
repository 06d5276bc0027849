// The networks of this installation, and the containers' places in them.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/network/address_pool.hpp"
#include "mgr/network/endpoint.hpp"
#include "mgr/network/firewall.hpp"
#include "mgr/network/name_service.hpp"
#include "mgr/network/network.hpp"
#include "mgr/network/network_store.hpp"
#include "mgr/network/port_bindings.hpp"
#include "task/event.hpp"
#include "task/mutex.hpp"
#include "task/scope.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

struct NetworkManagerOptions {
  std::string installation;  // its id: all names on the host are made of it
  std::string directory;     // EXEC_ROOT/network
};

// Who joins a network.
struct NetworkMember {
  std::string id, name;
  std::vector<IpAddress> dns;  // its own name servers
};

// One container in a network, for inspect.
struct NetworkMemberInfo {
  std::string container_id, container_name;
  Endpoint endpoint;
};

// How a network is made on the host: a bridge, and for each container that runs a pair of links of which one end is a
// port of the bridge and the other is in the container's own namespace. Both ends go with that namespace, that is with
// the container's last process, whoever lives or not. Addresses are leases in the container's state; rules are one
// nftables table. A bridge is made when the first container needs it, and removed with its network or, unused, by the
// daemon's stop and start.
//
// Lifetime: open(), then take_up() for each container that runs, then settle(), before anything else.
// Thread:   any.
// Cancel:   what changes the host runs to its end: call it where the token is not cancelled by a client's leaving.
// Errors:   Docker's classes and words; a call that fails leaves nothing of it behind.
class NetworkManager {
 public:
  NetworkManager(task::Worker& worker, NetworkManagerOptions options, NetworkStore& store);
  ~NetworkManager();

  task::Task<void> open();
  void take_up(const NetworkMember& member, const ContainerNetwork& network);
  // Removes what no container owns: links, rules, names.
  task::Task<void> settle();
  // Removes bridges without containers.
  task::Task<void> stop();

  // What this host lacks for bridges; empty: nothing.
  const std::vector<std::string>& shortcomings() const { return shortcomings_; }
  bool has_bridges() const { return shortcomings_.empty(); }

  // -- networks --
  struct Created {
    std::string id, warning;
  };
  task::Task<Created> create(Network network);
  std::vector<Network> list() const;
  // By name, id, or unique prefix of an id. Errors: kNotFound "network NAME not found".
  Network find(std::string_view reference) const;
  std::vector<NetworkMemberInfo> members(const std::string& network_id) const;
  task::Task<void> remove(std::string id);

  // -- a container's life --

  // Its memberships, from what its client asked for. A network that is not there has to be by the time of the lease.
  ContainerNetwork resolve(const std::string& mode, const std::vector<EndpointConfig>& endpoints) const;
  // Before the run: addresses and ports, and the bridges they need.
  task::Task<ContainerNetwork> lease(NetworkMember member, ContainerNetwork network, std::vector<PortBinding> bindings);
  // Once the container's namespace is there, and before its program runs: links, rules, names.
  task::Task<void> plug(NetworkMember member, ContainerNetwork network, int init_pid);
  // After the run, or instead of it: all of the two above is undone, what the host takes its time for in the
  // background. A lease that collides with what is being released waits for that.
  //
  // `namespace_shared`: another container lives on in the namespace, which else takes the links along.
  void release(const NetworkMember& member, const ContainerNetwork& network, bool namespace_shared);

  // A container that runs joins or leaves one more network. `network` is changed and returned.
  task::Task<ContainerNetwork> join(NetworkMember member, ContainerNetwork network, Attachment attachment,
                                    int init_pid);
  task::Task<ContainerNetwork> leave(NetworkMember member, ContainerNetwork network, std::string network_id,
                                     int init_pid);
  // It has another name now.
  task::Task<void> rename(NetworkMember member, ContainerNetwork network);

  // The name servers for its resolv.conf; empty: the host's own.
  std::vector<IpAddress> name_servers(const ContainerNetwork& network) const;

 private:
  struct Member {
    NetworkMember who;
    Attachment attachment;
  };
  struct Bridge {  // of one network
    Network network;
    std::map<IpFamily, AddressPool> pools;
    std::map<std::string, Member> members;  // by container id; those that run
    bool up = false;
  };

  // network_manager.cpp
  Bridge& bridge_of(const std::string& network_id);  // REQUIRES: mutex_ is held
  const Bridge* find_bridge(std::string_view reference) const;
  void add(Network network);
  void choose_ranges(Network& network) const;
  void check_ranges(const Network& network) const;

  // network_hosts.cpp: what is on the host
  std::string bridge_name(const Network& network) const;
  task::Task<void> bring_up(std::string network_id);
  void make_bridge(const Network& network);
  task::Task<void> take_down(std::string network_id);
  task::Task<void> write_table();
  std::vector<BridgeRules> bridge_rules() const;
  // REQUIRES: port_rules_ has the change already.
  task::Task<void> change_ports(std::vector<PortRule> add, std::vector<PortRule> remove);
  task::Task<void> tell_names(std::string network_id);

  // network_leases.cpp
  Network find_for(const Attachment& attachment) const;
  Endpoint lease_one(const NetworkMember& member, Attachment attachment, int number);
  task::Task<ContainerNetwork> lease_now(NetworkMember member, ContainerNetwork network,
                                         std::vector<PortBinding> bindings);
  void forget_member(const std::string& container_id, const Attachment& attachment);
  void release_addresses(const Attachment& attachment);
  void release_one(const std::string& container_id, const Attachment& attachment) {
    forget_member(container_id, attachment);
    release_addresses(attachment);
  }
  bool serves_names(const std::string& network_id) const;
  task::Task<void> finish_release(NetworkMember member, ContainerNetwork network, bool namespace_shared);

  // network_endpoints.cpp
  void plug_links(const ContainerNetwork& network, int init_pid, const std::vector<std::string>& only);
  task::Task<void> make_links(ContainerNetwork network, int init_pid, std::vector<std::string> only);
  task::Task<void> unplug_links(ContainerNetwork network);
  task::Task<void> tell_names_of(ContainerNetwork network);
  // Makes `rules` those of the container.
  task::Task<void> set_port_rules(std::string container_id, std::vector<PortRule> rules);

  task::Worker& worker_;
  const NetworkManagerOptions options_;
  const std::uint32_t link_group_;
  const std::string table_;
  const std::string default_bridge_;
  NetworkStore& store_;
  std::vector<std::string> shortcomings_;
  HostPorts ports_;
  NameService names_;

  // Taken in this order, one at a time.
  task::Mutex changes_;  // networks made, removed, brought up
  task::Mutex table_lock_;
  task::Event released_;  // set while no release is under way

  mutable std::mutex mutex_;
  std::map<std::string, Bridge> networks_;                   // guarded by mutex_; by id, of all drivers
  std::map<std::string, std::vector<PortRule>> port_rules_;  // guarded by mutex_; by container id
  std::size_t releases_ = 0;                                 // guarded by mutex_; those under way

  task::Scope scope_;
};

// Errors: kInvalidArgument in Docker's words for what a client asks of a place in a network and cannot have there.
void check_endpoint(const Network& network, const EndpointConfig& config);

// The attachment whose gateway is the container's way out: the highest priority, then by name, as Docker has it.
const Attachment* gateway_attachment(const ContainerNetwork& network, IpFamily family);

// 0: the kernel's default.
int mtu_of(const Network& network);

// Where a container's published ports lead.
std::vector<PortRule> port_rules(const ContainerNetwork& network);

}  // namespace quoll::mgr
