#include "daemon/config.hpp"

#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "task/error.hpp"

namespace quoll::daemon {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorClass::kInvalidArgument, message); }

template <typename T>
void set(T& field, const json& value, const std::string& key) {
  try {
    field = value.get<T>();
  } catch (const json::exception&) {
    refuse("daemon.json: " + key + ": a value of the wrong type");
  }
}

void apply_key(Config& config, const std::string& key, const json& value) {
  if (key == "data-root" || key == "root") return set(config.root, value, key);
  if (key == "exec-root") return set(config.exec_root, value, key);
  if (key == "hosts") return set(config.hosts, value, key);
  if (key == "debug-host") return set(config.debug_host, value, key);
  if (key == "pidfile") return set(config.pidfile, value, key);
  if (key == "log-level") return set(config.log_level, value, key);
  if (key == "default-runtime") return set(config.runtime, value, key);
  if (key == "group") return set(config.group, value, key);
  if (key == "cgroup-parent") return set(config.cgroup_parent, value, key);
  if (key == "live-restore") return set(config.live_restore, value, key);
  if (key == "gops") return set(config.gops, value, key);
  if (key == "debug-on-hosts") return set(config.debug_on_hosts, value, key);
  if (key == "heap-sample-bytes") return set(config.heap_sample_bytes, value, key);
  if (key == "insecure-tcp") return set(config.insecure_tcp, value, key);
  if (key == "shutdown-timeout") return set(config.shutdown_timeout_s, value, key);
  if (key == "workers") return set(config.workers, value, key);
  if (key == "insecure-registries") return set(config.registry.registry.insecure_registries, value, key);
  if (key == "registry-mirrors") return set(config.registry.registry.mirrors, value, key);
  if (key == "registry-certs-dir") return set(config.registry.registry.certs_dir, value, key);
  if (key == "max-concurrent-downloads") return set(config.registry.registry.downloads_max, value, key);
  if (key == "max-concurrent-uploads") return set(config.registry.registry.uploads_max, value, key);
  if (key == "registry-stall-timeout") return set(config.registry.registry.stall_seconds, value, key);
  if (key == "max-layer-bytes") return set(config.registry.plain_bytes_max, value, key);
  refuse("daemon.json: " + key + ": no such setting");
}

// "/a" or "/a/b": neither the root itself, nor anything that leaves it.
bool is_cgroup_path(const std::string& path) {
  const std::filesystem::path whole(path);
  if (!whole.is_absolute() || !whole.has_filename()) return false;
  return std::ranges::none_of(whole, [](const auto& part) { return part == "." || part == ".."; });
}

void check(Config& config) {
  static const std::vector<std::string> kLevels{"trace", "debug", "info", "warn", "error", "fatal", "off"};
  if (std::find(kLevels.begin(), kLevels.end(), config.log_level) == kLevels.end()) {
    refuse("log-level: unknown level " + config.log_level);
  }
  for (const std::string* path : {&config.root, &config.exec_root}) {
    if (!path->starts_with("/")) refuse("root and exec-root must be absolute paths: " + *path);
  }
  if (!is_cgroup_path(config.cgroup_parent)) {
    refuse("cgroup-parent must be an absolute path below the root, without . or ..: " + config.cgroup_parent);
  }
  const mgr::RegistryOptions& registry = config.registry.registry;
  for (const std::size_t bound : {registry.downloads_max, registry.uploads_max}) {
    if (bound < 1 || bound > 32) refuse("max-concurrent-downloads and -uploads must be from 1 to 32");
  }
  if (registry.stall_seconds < 1 || registry.stall_seconds > 3600) {
    refuse("registry-stall-timeout must be from 1 to 3600 seconds");
  }
  if (config.hosts.empty()) config.hosts.push_back("unix://" + config.exec_root + "/quoll.sock");
  if (config.debug_host.empty()) config.debug_host = "unix://" + config.exec_root + "/debug.sock";
  if (config.pidfile.empty()) config.pidfile = config.exec_root + "/quolld.pid";
  for (const std::string& host : config.hosts) parse_host(host, config.insecure_tcp);
  parse_host(config.debug_host, config.insecure_tcp);
}

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

// Flags that may be repeated are lists in the file, under dockerd's names for them.
std::string key_of_flag(const std::string& flag) {
  if (flag == "host") return "hosts";
  if (flag == "insecure-registry") return "insecure-registries";
  if (flag == "registry-mirror") return "registry-mirrors";
  return flag;
}

}  // namespace

void set_log_level(const std::string& level) {
  spdlog::set_level(spdlog::level::from_str(level == "fatal" ? "critical" : level));
}

std::optional<Config> read_config(int argc, const char* const* argv) {
  Config config;
  std::string config_file;
  CLI::App app("quolld: a container engine that speaks the Docker Engine API and shows every live task in it");
  app.set_version_flag("--version", "quolld " QUOLL_VERSION);
  app.add_option("--root,--data-root", config.root, "images, containers and their logs")->capture_default_str();
  app.add_option("--exec-root", config.exec_root, "sockets and what a reboot may clear")->capture_default_str();
  app.add_option("-H,--host", config.hosts, "where to listen, repeated: unix://PATH, tcp://ADDRESS:PORT")->take_all();
  app.add_option("--debug-host", config.debug_host, "a listener for /debug alone, on a thread of its own");
  app.add_option("-p,--pidfile", config.pidfile, "where the process id is written");
  app.add_option("-l,--log-level", config.log_level, "trace, debug, info, warn, error, fatal")->capture_default_str();
  app.add_option("--runtime,--default-runtime", config.runtime, "OCI runtime, by name or path; crun, else runc");
  app.add_option("-G,--group", config.group, "group of the UNIX sockets");
  app.add_option("--cgroup-parent", config.cgroup_parent, "parent of the containers' cgroups")->capture_default_str();
  app.add_option("--shutdown-timeout", config.shutdown_timeout_s, "seconds that requests and containers have to end");
  app.add_option("--workers", config.workers, "threads that serve; default one a processor, at most 8");
  app.add_flag("--live-restore,!--no-live-restore", config.live_restore,
               "containers run on when the daemon ends (default)");
  app.add_flag("--debug-on-hosts,!--no-debug-on-hosts", config.debug_on_hosts,
               "serve /debug on the --host listeners too, by their access rules (default)");
  app.add_flag("--test-hooks", config.test_hooks)->group("");
  app.add_flag("--gops", config.gops,
               "run an agent for gops, which shows stacks and profiles to every user of this host");
  app.add_option("--heap-sample-bytes", config.heap_sample_bytes,
                 "one allocation in so many bytes is in the heap profile; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--insecure-tcp", config.insecure_tcp, "allow TCP without TLS on other addresses than loopback");
  mgr::RegistryOptions& registry = config.registry.registry;
  app.add_option("--insecure-registry", registry.insecure_registries, "HOST:PORT or NETWORK/BITS, repeated")
      ->take_all();
  app.add_option("--registry-mirror", registry.mirrors, "of Docker Hub, repeated: https://MIRROR")->take_all();
  app.add_option("--registry-certs-dir", registry.certs_dir, "HOST:PORT/*.crt, *.cert and *.key of registries")
      ->capture_default_str();
  app.add_option("--max-concurrent-downloads", registry.downloads_max, "layers at once from one registry, in all pulls")
      ->capture_default_str();
  app.add_option("--max-concurrent-uploads", registry.uploads_max, "layers at once, in a push")->capture_default_str();
  app.add_option("--registry-stall-timeout", registry.stall_seconds,
                 "seconds that a download or upload may stand still before it is tried again")
      ->capture_default_str();
  app.add_option("--max-layer-bytes", config.registry.plain_bytes_max, "of one layer, uncompressed")
      ->capture_default_str();
  app.add_option("--config,--config-file", config_file, "daemon.json");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    app.exit(asked);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    refuse(error.what());
  }
  if (!config_file.empty()) {
    std::ifstream file(config_file);
    if (!file) refuse("cannot read " + config_file);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::vector<std::string> from_flags;
    for (const CLI::Option* option : app.get_options()) {
      if (option->count() == 0) continue;
      for (const std::string& name : option->get_lnames()) from_flags.push_back(key_of_flag(name));
    }
    apply_config_file(config, text, from_flags);
  }
  check(config);
  return config;
}

void apply_config_file(Config& config, std::string_view text, const std::vector<std::string>& from_flags) {
  const json file = json::parse(text, nullptr, false);
  if (!file.is_object()) refuse("daemon.json: not a JSON object");
  for (const auto& [key, value] : file.items()) {
    if (std::find(from_flags.begin(), from_flags.end(), key) != from_flags.end()) {
      refuse("the following directives are specified both as a flag and in the configuration file: " + key);
    }
    apply_key(config, key, value);
  }
}

HostAddress parse_host(const std::string& text, bool insecure) {
  HostAddress host;
  if (text.starts_with("unix://")) {
    host.path = text.substr(7);
    if (!host.path.starts_with("/")) refuse("host " + text + ": the path must be absolute");
    return host;
  }
  if (!text.starts_with("tcp://")) refuse("host " + text + ": neither unix:// nor tcp://");
  const std::string rest = text.substr(6);
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string::npos) refuse("host " + text + ": no port");
  host.kind = HostAddress::Kind::kTcp;
  host.address = rest.substr(0, colon);
  if (host.address.starts_with("[") && host.address.ends_with("]")) {
    host.address = host.address.substr(1, host.address.size() - 2);
  }
  const char* const end = rest.data() + rest.size();
  const auto parsed = std::from_chars(rest.data() + colon + 1, end, host.port);
  if (parsed.ec != std::errc() || parsed.ptr != end) refuse("host " + text + ": not a port");
  if (host.address.empty()) host.address = "127.0.0.1";
  if (!insecure && !is_loopback(host.address)) {
    throw Error(
        ErrorClass::kPermissionDenied,
        "host " + text + ": TCP without TLS listens on loopback only; --insecure-tcp allows everybody to be root here");
  }
  return host;
}

}  // namespace quoll::daemon
