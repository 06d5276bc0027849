// The route table.
#include <utility>

#include "api/api.hpp"
#include "api/handlers.hpp"
#include "api/version.hpp"
#include "http/status.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

using http::CancelPolicy;
using ApiHandler = Task<void> (*)(Api&, Request&, Response&);

struct ApiRoute {
  const char* method;
  const char* pattern;
  ApiHandler handler;
  CancelPolicy policy = CancelPolicy::kCancelOnDisconnect;
};

// What changes a container must run to its end, so that a client's leaving in the middle leaves nothing half done.
constexpr ApiRoute kRoutes[] = {
    {"GET", "/_ping", ping},
    {"HEAD", "/_ping", ping},
    {"GET", "/version", version},
    {"GET", "/info", info},
    {"GET", "/system/df", disk_usage},
    {"GET", "/events", events},

    {"GET", "/containers/json", list_containers},
    {"POST", "/containers/create", create_container, CancelPolicy::kRunToEnd},
    {"GET", "/containers/{id}/json", inspect_container},
    {"GET", "/containers/{id}/logs", logs_container},
    {"GET", "/containers/{id}/stats", stats_container},
    {"GET", "/containers/{id}/top", top_container},
    {"POST", "/containers/{id}/start", start_container, CancelPolicy::kRunToEnd},
    {"POST", "/containers/{id}/stop", stop_container, CancelPolicy::kRunToEnd},
    {"POST", "/containers/{id}/restart", restart_container, CancelPolicy::kRunToEnd},
    {"POST", "/containers/{id}/kill", kill_container, CancelPolicy::kRunToEnd},
    {"POST", "/containers/{id}/pause", pause_container, CancelPolicy::kRunToEnd},
    {"POST", "/containers/{id}/unpause", unpause_container, CancelPolicy::kRunToEnd},
    {"POST", "/containers/{id}/rename", rename_container, CancelPolicy::kRunToEnd},
    {"POST", "/containers/{id}/update", update_container, CancelPolicy::kRunToEnd},
    {"POST", "/containers/prune", prune_containers},
    {"POST", "/containers/{id}/wait", wait_container},
    {"HEAD", "/containers/{id}/archive", stat_archive},
    {"GET", "/containers/{id}/archive", get_archive},
    {"PUT", "/containers/{id}/archive", put_archive},
    {"GET", "/containers/{id}/export", export_container},
    {"GET", "/containers/{id}/changes", changes_container},
    {"POST", "/commit", commit_container},
    {"DELETE", "/containers/{id}", remove_container, CancelPolicy::kRunToEnd},

    {"POST", "/containers/{id}/attach", attach_container},
    {"GET", "/containers/{id}/attach/ws", attach_websocket},
    {"POST", "/containers/{id}/resize", resize_container},
    {"POST", "/containers/{id}/exec", create_exec},
    {"POST", "/exec/{id}/start", start_exec},
    {"POST", "/exec/{id}/resize", resize_exec},
    {"GET", "/exec/{id}/json", inspect_exec},

    {"GET", "/networks", list_networks},
    {"GET", "/networks/{id}", inspect_network},
    {"POST", "/networks/create", create_network, CancelPolicy::kRunToEnd},
    {"POST", "/networks/prune", prune_networks, CancelPolicy::kRunToEnd},
    {"POST", "/networks/{id}/connect", connect_network, CancelPolicy::kRunToEnd},
    {"POST", "/networks/{id}/disconnect", disconnect_network, CancelPolicy::kRunToEnd},
    {"DELETE", "/networks/{id}", remove_network, CancelPolicy::kRunToEnd},

    {"POST", "/images/create", create_image},
    {"POST", "/images/{name:.*}/push", push_image},
    {"POST", "/auth", login_registry},
    {"GET", "/distribution/{name:.*}/json", inspect_distribution},
    {"POST", "/images/load", load_images},
    {"GET", "/images/json", list_images},
    {"GET", "/images/search", search_images},
    {"GET", "/images/get", get_images},
    {"POST", "/images/prune", prune_images},
    {"GET", "/images/{name:.*}/get", get_image},
    {"GET", "/images/{name:.*}/history", history_image},
    {"POST", "/images/{name:.*}/tag", tag_image, CancelPolicy::kRunToEnd},
    {"GET", "/images/{name:.*}/json", inspect_image},
    {"DELETE", "/images/{name:.*}", remove_image, CancelPolicy::kRunToEnd},

    {"POST", "/build", build_image},
    {"POST", "/build/prune", prune_builds},

    {"GET", "/volumes", list_volumes},
    {"POST", "/volumes/create", create_volume, CancelPolicy::kRunToEnd},
    {"GET", "/volumes/{name}", inspect_volume},
    {"DELETE", "/volumes/{name}", remove_volume, CancelPolicy::kRunToEnd},
    {"POST", "/volumes/prune", prune_volumes},
};

struct AbsentRoute {
  const char* method;
  const char* pattern;
};

// Routes of the API that Quoll does not have yet: 501, rather than the 404 that a client would misread.
constexpr AbsentRoute kAbsentRoutes[] = {
    {"POST", "/session"}, {"POST", "/grpc"},       {"PUT", "/volumes/{name}"},   {"GET", "/plugins"},
    {"GET", "/swarm"},    {"POST", "/swarm/init"}, {"POST", "/swarm/join"},      {"POST", "/swarm/leave"},
    {"GET", "/nodes"},    {"GET", "/services"},    {"POST", "/services/create"}, {"GET", "/tasks"},
    {"GET", "/secrets"},  {"GET", "/configs"},
};

}  // namespace

void add_api_routes(http::Router& router, Api& api) {
  for (const ApiRoute& route : kRoutes) {
    router.add(
        route.method, route.pattern,
        [&api, handler = route.handler](Request& request, Response& response) {
          check_version(request);
          return handler(api, request, response);
        },
        route.policy);
  }
  for (const AbsentRoute& route : kAbsentRoutes) {
    router.add(route.method, route.pattern,
               [name = std::string(route.method) + " " + route.pattern](Request& request, Response&) -> Task<void> {
                 check_version(request);
                 throw Error(ErrorClass::kNotImplemented, name + " is not supported yet");
               });
  }
}

}  // namespace quoll::api
