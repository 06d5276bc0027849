// The Docker Engine API: the one route table, and what its handlers work with.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/list_cache.hpp"
#include "http/router.hpp"
#include "http/server.hpp"
#include "mgr/attach/attach_stream.hpp"
#include "task/task.hpp"

namespace quoll::mgr {
class Container;
class ContainerManager;
class EventBus;
class ExecManager;
class ImageStore;
class VolumeManager;
class NetworkManager;
class RegistryService;
}  // namespace quoll::mgr

namespace quoll::api {

inline constexpr std::string_view kApiVersion = "1.51";
inline constexpr std::string_view kApiVersionMin = "1.24";

// What the daemon tells of itself in /version and /info; constant after start.
struct DaemonFacts {
  std::string id;            // of this installation
  std::string root;          // --root
  std::string runtime_name;  // "crun"
  std::string runtime_path;
  std::vector<std::string> warnings;
};

// Lifetime: outlives the router that it was added to and the servers of that.
// Thread:   any.
struct Api {
  mgr::ContainerManager& containers;
  mgr::ImageStore& images;
  mgr::VolumeManager& volumes;
  mgr::NetworkManager& networks;
  mgr::ExecManager& execs;
  mgr::RegistryService& registry;
  mgr::EventBus& events;
  DaemonFacts facts;
  std::atomic<bool> live_restore;  // a reload of the configuration may change it
  std::function<std::size_t()> task_count;
  ListCache container_list;
  mgr::AttachRegistry attached;
};

// Adds every route of the API; what Quoll does not do yet answers 501 by name (docs/SCOPE.md).
void add_api_routes(http::Router& router, Api& api);

// The options by which a server speaks Docker: headers of every answer and `{"message": ...}` errors.
void set_docker_options(http::ServerOptions& options);

}  // namespace quoll::api
