// A container's network life, as the manager of containers sees it.
#include <algorithm>

#include "mgr/container/container_bundle.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/network/network_manager.hpp"
#include "mgr/short_id.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::string_view kOfContainer = "container:";

bool shares_network(const ContainerConfig& config) { return config.host.network_mode.starts_with(kOfContainer); }

// A container that waits for its restart counts as running, and has no process.
bool has_namespace(const ContainerState& state) { return is_running(state.status) && state.pid > 0; }

// "db:alias", "db", "/db:/web/alias": the container, and the name it has here.
std::pair<std::string, std::string> parse_link(const std::string& link) {
  const std::size_t colon = link.find(':');
  std::string container = link.substr(0, colon);
  std::string alias = colon == std::string::npos ? container : link.substr(colon + 1);
  const auto last_part = [](const std::string& path) { return path.substr(path.rfind('/') + 1); };
  return {last_part(container), last_part(alias)};
}

std::vector<std::string> all_links(const ContainerConfig& config, const ContainerNetwork& network) {
  std::vector<std::string> links = config.host.links;
  for (const Attachment& attachment : network.attachments) {
    for (const std::string& link : attachment.config.links) {
      if (std::ranges::find(links, link) == links.end()) links.push_back(link);
    }
  }
  return links;
}

// An address of `other` in a network that both are in.
const EndpointAddress* shared_address(const ContainerNetwork& network, const ContainerNetwork& other) {
  for (const Attachment& attachment : network.attachments) {
    const Attachment* const there = other.find(attachment.network_id);
    if (there != nullptr && there->live && !there->live->addresses.empty()) return &there->live->addresses.front();
  }
  return nullptr;
}

}  // namespace

NetworkMember member_of(const Container& container) {
  NetworkMember member{.id = container.id(), .name = container.name()};
  for (const std::string& server : container.config()->host.dns) {
    if (const auto address = parse_ip_address(server)) member.dns.push_back(*address);
  }
  return member;
}

// What names other containers is turned into ids, or refused.
void ContainerManager::resolve_network(ContainerConfig& config) const {
  std::string& mode = config.host.network_mode;
  if (shares_network(config)) mode = std::string(kOfContainer) + find_named(mode.substr(kOfContainer.size()))->id();
  for (const std::string& link : config.host.links) {
    const std::string name = parse_link(link).first;
    find_named(name, "could not get container for " + name + ": ");
  }
}

BundleNetwork ContainerManager::network_of_other(const std::string& id) const {
  const auto other = find(id);
  const ContainerState state = other->state();
  if (!has_namespace(state)) {
    throw Error(ErrorClass::kConflict, "cannot join network of a non running container: " + id);
  }
  BundleNetwork network;
  network.namespace_path = "/proc/" + std::to_string(state.pid) + "/ns/net";
  network.files_directory = other->paths().directory;
  const auto config = other->config();
  network.hostname = config->hostname.empty() ? short_id(id) : config->hostname;
  return network;
}

NetworkFileFacts ContainerManager::network_file_facts(const Container& container,
                                                      const ContainerNetwork& network) const {
  NetworkFileFacts facts;
  for (const Attachment& attachment : network.attachments) {
    if (!attachment.live) continue;
    for (const EndpointAddress& address : attachment.live->addresses) {
      facts.addresses.push_back(to_string(address.address));
    }
  }
  // Without a network of its own a container is on the host itself.
  const Attachment* const way_out = gateway_attachment(network, IpFamily::kV4);
  const std::string host =
      way_out == nullptr ? "127.0.0.1" : to_string(*way_out->live->address(IpFamily::kV4)->gateway);
  for (const std::string& extra : container.config()->host.extra_hosts) {
    if (extra.ends_with(":host-gateway")) facts.links.emplace_back(host, extra.substr(0, extra.find(':')));
  }
  for (const IpAddress& server : networks_.name_servers(network)) facts.name_servers.push_back(to_string(server));
  const auto config = container.config();
  for (const std::string& link : all_links(*config, network)) {
    const auto [name, alias] = parse_link(link);
    std::shared_ptr<Container> other;
    try {
      other = find(name);
    } catch (const Error&) {
      continue;  // removed since
    }
    const ContainerState state = other->state();
    const EndpointAddress* const address = shared_address(network, *state.network);
    if (address == nullptr) continue;
    std::string names = alias;
    for (const std::string& more : {other->name(), short_id(other->id())}) {
      if (more != alias) names += " " + more;
    }
    facts.links.emplace_back(to_string(address->address), names);
  }
  return facts;
}

task::Task<BundleNetwork> ContainerManager::lease_network(std::shared_ptr<Container> container) {
  const auto config = container->config();
  if (shares_network(*config)) co_return network_of_other(config->host.network_mode.substr(kOfContainer.size()));
  for (const std::string& link : config->host.links) {
    const auto [name, alias] = parse_link(link);
    if (is_running(find(name)->state().status)) continue;
    throw Error(ErrorClass::kInvalidArgument,
                "Cannot link to a non running container: /" + name + " AS /" + container->name() + "/" + alias);
  }
  const SharedNetwork asked = container->state().network;
  ContainerNetwork network = co_await networks_.lease(member_of(*container), *asked, published_ports(*config));
  BundleNetwork bundle;
  bundle.files = network_file_facts(*container, network);
  container->update_state([&](ContainerState& state) { state.network = SharedNetwork(std::move(network)); });
  co_return bundle;
}

task::Task<void> ContainerManager::plug_network(std::shared_ptr<Container> container, int init_pid) {
  const SharedNetwork network = container->state().network;
  co_await networks_.plug(member_of(*container), *network, init_pid);
  publish_network(*container, *network, "connect");
  co_await task::blocking([&] { tell_linked(*container); });
}

void ContainerManager::release_network(const std::shared_ptr<Container>& container) {
  const SharedNetwork network = container->state().network;
  container->update_state([](ContainerState& state) { state.network = SharedNetwork(without_run(*state.network)); });
  changed();
  if (network->attachments.empty()) return;
  publish_network(*container, *network, "disconnect");
  networks_.release(member_of(*container), *network, is_namespace_shared(container->id()));
}

// Whether another container lives in this one's network.
bool ContainerManager::is_namespace_shared(const std::string& id) const {
  std::lock_guard lock(mutex_);
  return std::ranges::any_of(containers_, [&](const auto& entry) {
    return entry.second->config()->host.network_mode == std::string(kOfContainer) + id &&
           is_running(entry.second->state().status);
  });
}

// Those that run and have a link to `started` learn its new address. Blocks.
void ContainerManager::tell_linked(const Container& started) const {
  const std::string name = started.name();
  for (const ContainerSnapshot& other : list()) {
    if (!is_running(other.state.status) || other.id == started.id()) continue;
    const auto links = all_links(*other.config, *other.state.network);
    const auto names_it = [&](const std::string& link) {
      const std::string target = parse_link(link).first;
      return target == name || started.id().starts_with(target);
    };
    if (std::ranges::none_of(links, names_it)) continue;
    const auto container = find(other.id);
    const NetworkFileFacts facts = network_file_facts(*container, *other.state.network);
    edit_container_files(*container, facts, facts);
  }
}

void ContainerManager::publish_network(const Container& container, const ContainerNetwork& network,
                                       const char* action) const {
  for (const Attachment& attachment : network.attachments) {
    if (!attachment.live) continue;
    const std::string type = attachment.network_name == "host" || attachment.network_name == "none"
                                 ? (attachment.network_name == "host" ? "host" : "null")
                                 : "bridge";
    events_.publish({.type = "network",
                     .action = action,
                     .actor_id = attachment.network_id,
                     .attributes = {{"container", container.id()}, {"name", attachment.network_name}, {"type", type}}});
  }
}

// A run goes on with another network than before.
task::Task<void> ContainerManager::change_network(std::shared_ptr<Container> container, ContainerNetwork network) {
  const SharedNetwork before = container->state().network;
  const SharedNetwork after(std::move(network));
  container->update_state([&](ContainerState& state) { state.network = after; });
  changed();
  co_await succeeds(container->id(), save_state(container));
  if (!has_namespace(container->state())) co_return;
  co_await task::blocking([&] {
    edit_container_files(*container, network_file_facts(*container, *before), network_file_facts(*container, *after));
  });
}

task::Task<void> ContainerManager::connect(std::shared_ptr<Container> container, std::string network,
                                           EndpointConfig config) {
  auto guard = co_await container->lock_lifecycle();
  const Network record = networks_.find(network);
  const ContainerState state = container->state();
  const std::string name = container->name();
  if (shares_network(*container->config())) {
    throw Error(ErrorClass::kPermissionDenied,
                "container sharing network namespace with another container or host cannot be connected to any other "
                "network");
  }
  for (const Attachment& attachment : state.network->attachments) {
    if (attachment.network_id == record.id) {
      throw Error(ErrorClass::kPermissionDenied,
                  "endpoint with name " + name + " already exists in network " + record.name);
    }
    if (attachment.network_name == "host" || record.name == "host") {
      throw Error(ErrorClass::kPermissionDenied,
                  "container cannot be disconnected from host network or connected to host network");
    }
    if (attachment.network_name == "none" || record.name == "none") {
      throw Error(ErrorClass::kPermissionDenied,
                  "container cannot be connected to multiple networks with one of the networks in private (none) mode");
    }
  }
  Attachment attachment{std::move(config), record.id, record.name, std::nullopt};
  attachment.config.network = record.name;
  check_driver_options(attachment.config);
  check_endpoint(record, attachment.config);
  ContainerNetwork changed_network = *state.network;
  if (has_namespace(state)) {
    changed_network = co_await networks_.join(member_of(*container), std::move(changed_network), attachment, state.pid);
  } else {
    changed_network.attachments.push_back(attachment);
  }
  co_await change_network(container, changed_network);
  if (!has_namespace(state)) co_return;
  publish_network(*container, {.attachments = {*changed_network.find(record.id)}}, "connect");
}

task::Task<void> ContainerManager::disconnect(std::shared_ptr<Container> container, std::string network, bool force) {
  auto guard = co_await container->lock_lifecycle();
  const Network record = networks_.find(network);
  const ContainerState state = container->state();
  const Attachment* const attachment = state.network->find(record.id);
  if (attachment == nullptr) {
    if (force) co_return;
    throw Error(ErrorClass::kPermissionDenied,
                "container " + container->id() + " is not connected to network " + record.name);
  }
  if (record.name == "host") {
    throw Error(ErrorClass::kPermissionDenied,
                "container cannot be disconnected from host network or connected to host network");
  }
  const Attachment leaving = *attachment;
  ContainerNetwork changed_network = *state.network;
  if (has_namespace(state)) {
    changed_network = co_await networks_.leave(member_of(*container), std::move(changed_network), record.id, state.pid);
  } else {
    std::erase_if(changed_network.attachments, [&](const Attachment& other) { return other.network_id == record.id; });
  }
  co_await change_network(container, std::move(changed_network));
  if (leaving.live) publish_network(*container, {.attachments = {leaving}}, "disconnect");
}

}  // namespace quoll::mgr
