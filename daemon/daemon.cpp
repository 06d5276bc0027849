#include "daemon/daemon.hpp"

#include <grp.h>
#include <spdlog/spdlog.h>

#include <chrono>

#include "daemon/engine_metrics.hpp"
#include "debug/routes.hpp"
#include "mgr/network/host_facts.hpp"
#include "mgr/store/schema.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::daemon {
namespace {

// So many clients of the debug listener are served when the daemon has run out of descriptors.
constexpr std::size_t kDebugDescriptors = 8;

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::optional<gid_t> group_id(const std::string& name) {
  if (name.empty()) return std::nullopt;
  const group* const found = ::getgrnam(name.c_str());
  if (found == nullptr) throw Error(ErrorClass::kInvalidArgument, "group " + name + ": no such group");
  return found->gr_gid;
}

api::DaemonFacts facts_of(const Config& config, const mgr::RuntimePrograms& programs,
                          const mgr::NetworkManager& networks) {
  api::DaemonFacts facts;
  facts.id = installation_id(config.root);
  facts.root = config.root;
  facts.runtime_name = base_name(programs.runtime);
  facts.runtime_path = programs.runtime;
  if (mgr::find_aardvark().empty()) {
    facts.warnings.emplace_back("WARNING: containers do not find each other by name: aardvark-dns is not installed");
  }
  for (const std::string& missing : networks.shortcomings()) {
    facts.warnings.push_back("WARNING: containers have loopback only, and no ports are published: " + missing);
  }
  for (const std::string& host : config.hosts) {
    if (host.starts_with("tcp://")) {
      facts.warnings.push_back("WARNING: API is accessible on " + host.substr(6) +
                               " without encryption: access to it is equivalent to root access on the host");
    }
  }
  return facts;
}

}  // namespace

Daemon::Daemon(Config config, task::Runtime& runtime, std::vector<task::Worker*> serving, task::Worker& debug)
    : config_(std::move(config)),
      runtime_(runtime),
      serving_(std::move(serving)),
      debug_worker_(debug),
      shutdown_timeout_s_(config_.shutdown_timeout_s),
      root_lock_(lock_directory(config_.root)),
      exec_root_lock_(lock_directory(config_.exec_root)),
      pid_file_(config_.pidfile),
      images_(config_.root, {.on_unflushed = [this] { layer_flusher_.wake(); }, .events = &events_}),
      registry_(config_.registry, images_),
      database_(mgr::Database::open(config_.root + "/state.db", mgr::state_schema())),
      container_store_(*database_),
      volume_store_(*database_),
      volumes_(config_.root, volume_store_, events_),
      network_store_(*database_),
      networks_(*serving_.front(),
                {.installation = installation_id(config_.root), .directory = config_.exec_root + "/network"},
                network_store_),
      containers_(*serving_.front(),
                  {.root = config_.root,
                   .exec_root = config_.exec_root,
                   .cgroup_parent = config_.cgroup_parent,
                   .programs = mgr::find_runtime_programs(config_.runtime, config_.exec_root + "/runtime")},
                  images_, volumes_, container_store_, networks_, events_),
      execs_(*serving_.front(), containers_),
      api_{.containers = containers_,
           .images = images_,
           .volumes = volumes_,
           .networks = networks_,
           .execs = execs_,
           .registry = registry_,
           .events = events_,
           .facts = facts_of(config_, containers_.programs(), networks_),
           .live_restore = config_.live_restore,
           .task_count = [&runtime] { return runtime.task_count(); }} {
  api::add_api_routes(router_, api_);
  if (config_.debug_on_hosts) debug::add_debug_routes(router_, runtime_, debug_sources());
  if (config_.test_hooks) test_hooks_ = std::make_unique<TestHooks>(router_);
  debug::add_debug_routes(debug_router_, runtime_, debug_sources());
}

Daemon::~Daemon() = default;

debug::DebugSources Daemon::debug_sources() const {
  return {.routers = {&router_, &debug_router_},
          .add_metrics = [this](debug::Metrics& metrics) { add_engine_metrics(metrics, containers_, images_); }};
}

http::ServerOptions Daemon::server_options(const HostAddress& host) const {
  http::ServerOptions options;
  api::set_docker_options(options);
  options.guard_origin = host.kind == HostAddress::Kind::kTcp;
  return options;
}

void Daemon::listen(http::Server& server, const std::string& text) {
  const HostAddress host = parse_host(text, config_.insecure_tcp);
  if (host.kind == HostAddress::Kind::kUnix) {
    server.listen_unix(host.path, 0660, group_id(config_.group));
    spdlog::info("listening on {}", text);
  } else {
    const std::uint16_t port = server.listen_tcp(host.address, host.port);
    spdlog::info("listening on tcp://{}:{}", host.address, port);
  }
}

task::Task<void> Daemon::start() {
  const HostAddress debug_host = parse_host(config_.debug_host, config_.insecure_tcp);
  http::ServerOptions debug_options = server_options(debug_host);
  debug_options.descriptor_reserve = kDebugDescriptors;
  debug_server_ = std::make_unique<http::Server>(std::vector<task::Worker*>{&debug_worker_}, debug_router_,
                                                 std::move(debug_options));
  listen(*debug_server_, config_.debug_host);
  if (config_.gops) {
    gops_ = std::make_unique<debug::GopsAgent>(runtime_, debug_worker_, debug::gops_directory());
    spdlog::info("gops agent on 127.0.0.1:{}", gops_->port());
  }
  layer_flusher_.start(images_);
  co_await task::blocking([this] { volumes_.open(); });
  co_await networks_.open();
  co_await containers_.open();
  for (const std::string& host : config_.hosts) {
    servers_.push_back(
        std::make_unique<http::Server>(serving_, router_, server_options(parse_host(host, config_.insecure_tcp))));
    listen(*servers_.back(), host);
  }
  containers_.restart_containers();
}

void Daemon::reload(const Config& config) {
  set_log_level(config.log_level);
  shutdown_timeout_s_ = config.shutdown_timeout_s;
  api_.live_restore = config.live_restore;
  char host_name[256] = "";
  ::gethostname(host_name, sizeof host_name - 1);
  events_.publish({.type = "daemon",
                   .action = "reload",
                   .actor_id = api_.facts.id,
                   .attributes = {{"name", host_name},
                                  {"log-level", config.log_level},
                                  {"shutdown-timeout", std::to_string(config.shutdown_timeout_s)},
                                  {"live-restore", config.live_restore ? "true" : "false"}}});
}

task::Task<void> Daemon::stop() {
  const auto grace = std::chrono::seconds(shutdown_timeout_s_);
  containers_.release_clients();
  api_.attached.release();
  events_.release();
  std::vector<task::Task<void>> stops;
  for (const auto& server : servers_) stops.push_back(server->stop(grace));
  co_await task::when_all(std::move(stops));
  co_await execs_.stop();
  co_await containers_.stop(!api_.live_restore);
  if (test_hooks_) co_await test_hooks_->stop();
  co_await networks_.stop();
  co_await layer_flusher_.stop();
  if (gops_) co_await gops_->stop();
  if (debug_server_) co_await debug_server_->stop(std::chrono::seconds(1));
}

}  // namespace quoll::daemon
