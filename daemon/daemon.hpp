// The daemon: everything that it is made of, in the order in which it starts.
#pragma once

#include <memory>
#include <vector>

#include "api/api.hpp"
#include "daemon/config.hpp"
#include "daemon/instance.hpp"
#include "daemon/test_hooks.hpp"
#include "debug/gops.hpp"
#include "debug/sources.hpp"
#include "http/router.hpp"
#include "http/server.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/container/container_store.hpp"
#include "mgr/event/event_bus.hpp"
#include "mgr/exec/exec_manager.hpp"
#include "mgr/image/image_store.hpp"
#include "mgr/image/layer_flusher.hpp"
#include "mgr/network/network_manager.hpp"
#include "mgr/network/network_store.hpp"
#include "mgr/registry/registry_service.hpp"
#include "mgr/store/database.hpp"
#include "mgr/volume/volume_manager.hpp"
#include "task/runtime.hpp"

namespace quoll::daemon {

// Lifetime: start(), then wait for a signal, then stop(), all in one task on one of the runtime's workers.
// Errors:   start() throws what hinders it; stop() is to be called all the same.
class Daemon {
 public:
  // `serving`: the workers that serve the API; `debug`: the one that serves --debug-host, so that it answers when the
  // others do not.
  Daemon(Config config, task::Runtime& runtime, std::vector<task::Worker*> serving, task::Worker& debug);
  ~Daemon();

  task::Task<void> start();
  // Takes over what can be changed while it runs (log level, shutdown timeout, live-restore), and tells of it by an
  // event. Everything else of `config` is for the next start.
  void reload(const Config& config);
  // Refuses new work, lets requests end, stops containers where that is configured, and leaves the rest running.
  task::Task<void> stop();

 private:
  void listen(http::Server& server, const std::string& host);
  http::ServerOptions server_options(const HostAddress& host) const;
  debug::DebugSources debug_sources() const;

  const Config config_;
  task::Runtime& runtime_;
  const std::vector<task::Worker*> serving_;
  task::Worker& debug_worker_;
  int shutdown_timeout_s_;

  const UniqueFd root_lock_;
  const UniqueFd exec_root_lock_;
  const PidFile pid_file_;
  mgr::EventBus events_;
  mgr::LayerFlusher layer_flusher_;
  mgr::ImageStore images_;
  mgr::RegistryService registry_;
  std::unique_ptr<mgr::Database> database_;
  mgr::ContainerStore container_store_;
  mgr::VolumeStore volume_store_;
  mgr::VolumeManager volumes_;
  mgr::NetworkStore network_store_;
  mgr::NetworkManager networks_;
  mgr::ContainerManager containers_;
  mgr::ExecManager execs_;
  api::Api api_;
  http::Router router_;
  http::Router debug_router_;
  std::vector<std::unique_ptr<http::Server>> servers_;
  std::unique_ptr<http::Server> debug_server_;
  std::unique_ptr<TestHooks> test_hooks_;   // null: not asked for
  std::unique_ptr<debug::GopsAgent> gops_;  // null: not asked for
};

}  // namespace quoll::daemon
