// /networks
#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/filters.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "mgr/container/container_config_fields.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/container/container_state.hpp"
#include "mgr/event/event_bus.hpp"
#include "mgr/network/network_manager.hpp"
#include "mgr/wall_clock.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using mgr::Network;
using nlohmann::json;

json record_json(const Network& network) {
  json entry = mgr::network_json(network);
  entry["Created"] = mgr::rfc3339_nano(network.created_ns);
  return entry;
}

json member_json(const mgr::NetworkMemberInfo& member) {
  json entry{{"Name", member.container_name},
             {"EndpointID", member.endpoint.id},
             {"MacAddress", member.endpoint.host_link.empty() ? "" : mgr::to_string(member.endpoint.mac)},
             {"IPv4Address", ""},
             {"IPv6Address", ""}};
  for (const mgr::EndpointAddress& address : member.endpoint.addresses) {
    const bool is_v4 = address.address.family == mgr::IpFamily::kV4;
    entry[is_v4 ? "IPv4Address" : "IPv6Address"] =
        mgr::to_string(address.address) + "/" + std::to_string(address.prefix_length);
  }
  return entry;
}

json members_json(const Api& api, const Network& network) {
  json members = json::object();
  for (const mgr::NetworkMemberInfo& member : api.networks.members(network.id)) {
    members[member.container_id] = member_json(member);
  }
  return members;
}

// Whether any container, running or not, is in the network.
bool is_used(const Api& api, const std::string& network_id) {
  return std::ranges::any_of(api.containers.list(), [&](const mgr::ContainerSnapshot& container) {
    return container.state.network->find(network_id) != nullptr;
  });
}

bool is_of_type(const Network& network, const std::string& type) {
  if (type == "builtin") return network.is_predefined();
  if (type == "custom") return !network.is_predefined();
  throw Error(ErrorClass::kInvalidArgument, "invalid filter: 'type'='" + type + "'");
}

bool fits(const Api& api, const Filters& filters, const Network& network) {
  if (const auto dangling = filters.flag("dangling")) {
    const bool dangles = !network.is_predefined() && !is_used(api, network.id);
    if (dangles != *dangling) return false;
  }
  return filters.matches("id", network.id) && filters.matches("name", network.name) &&
         filters.allows("driver", mgr::to_string(network.driver)) && filters.allows("scope", "local") &&
         filters.any("type", [&](const std::string& type) { return is_of_type(network, type); }) &&
         filters.match_labels(network.labels);
}

void publish(const Api& api, const Network& network, const char* action) {
  api.events.publish({.type = "network",
                      .action = action,
                      .actor_id = network.id,
                      .attributes = {{"name", network.name}, {"type", std::string(mgr::to_string(network.driver))}}});
}

}  // namespace

Task<void> create_network(Api& api, Request& request, Response& response) {
  const json body = co_await read_json(request);
  const auto created = co_await api.networks.create(mgr::parse_network(body));
  publish(api, api.networks.find(created.id), "create");
  co_await send_json(response, 201, {{"Id", created.id}, {"Warning", created.warning}});
}

Task<void> list_networks(Api& api, Request& request, Response& response) {
  const Filters filters(request.query("filters"), {"dangling", "driver", "id", "label", "name", "scope", "type"});
  json list = json::array();
  for (const Network& network : api.networks.list()) {
    if (!fits(api, filters, network)) continue;
    list.push_back(record_json(network));
    list.back()["Containers"] = json::object();
  }
  co_await send_json(response, 200, list);
}

Task<void> inspect_network(Api& api, Request& request, Response& response) {
  const Network network = api.networks.find(request.param("id"));
  const std::string scope = request.query("scope").value_or("");
  if (!scope.empty() && scope != "local") {
    throw Error(ErrorClass::kNotFound, "network " + std::string(request.param("id")) + " not found");
  }
  json entry = record_json(network);
  entry["Containers"] = members_json(api, network);
  if (request.query_flag("verbose")) entry["Services"] = json::object();
  co_await send_json(response, 200, entry);
}

Task<void> remove_network(Api& api, Request& request, Response& response) {
  const Network network = api.networks.find(request.param("id"));
  co_await api.networks.remove(network.id);
  publish(api, network, "destroy");
  co_await response.send_empty(204);
}

Task<void> connect_network(Api& api, Request& request, Response& response) {
  const json body = co_await read_json(request);
  mgr::JsonFields fields(body, "");
  const std::string container = fields.text("Container");
  static const json kNone;
  const json* const settings = fields.value("EndpointConfig");
  mgr::EndpointConfig config =
      mgr::parse_endpoint_config("", settings == nullptr ? kNone : *settings, "EndpointConfig");
  fields.refuse_the_rest();
  const Network network = api.networks.find(request.param("id"));
  co_await api.containers.connect(api.containers.find(container), network.id, std::move(config));
  co_await response.send_empty(200);
}

Task<void> disconnect_network(Api& api, Request& request, Response& response) {
  const json body = co_await read_json(request);
  mgr::JsonFields fields(body, "");
  const std::string container = fields.text("Container");
  const bool force = fields.flag("Force");
  fields.refuse_the_rest();
  const Network network = api.networks.find(request.param("id"));
  co_await api.containers.disconnect(api.containers.find(container), network.id, force);
  co_await response.send_empty(200);
}

Task<void> prune_networks(Api& api, Request& request, Response& response) {
  const Filters filters(request.query("filters"), {"label", "label!", "until"});
  const std::int64_t until_ns = filters.until_ns(mgr::wall_now_ns()).value_or(INT64_MAX);
  json deleted = json::array();
  for (const Network& network : api.networks.list()) {
    if (network.is_predefined() || is_used(api, network.id) || network.created_ns >= until_ns) continue;
    if (!filters.match_labels(network.labels)) continue;
    try {
      co_await api.networks.remove(network.id);
    } catch (const Error& error) {
      if (error.error_class() == ErrorClass::kInternal) throw;
      continue;  // somebody has come to use it, or has removed it, meanwhile
    }
    publish(api, network, "destroy");
    deleted.push_back(network.name);
  }
  api.events.publish({.type = "network", .action = "prune", .actor_id = "", .attributes = {{"reclaimed", "0"}}});
  co_await send_json(response, 200, {{"NetworksDeleted", deleted.empty() ? json() : std::move(deleted)}});
}

}  // namespace quoll::api
