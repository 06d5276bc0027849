// What the daemon was told to be: its flags and its daemon.json, in dockerd's names where they mean the same.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "debug/heap_sampler.hpp"
#include "mgr/registry/registry_service.hpp"

namespace quoll::daemon {

struct Config {
  std::string root = "/var/lib/quoll";
  std::string exec_root = "/run/quoll";
  std::vector<std::string> hosts;  // unix://PATH, tcp://ADDRESS:PORT, fd://; default unix://EXEC_ROOT/quoll.sock
  std::string debug_host;          // default unix://EXEC_ROOT/debug.sock
  std::string pidfile;             // default EXEC_ROOT/quolld.pid
  std::string log_level = "info";
  std::string runtime;                   // name or path; empty: crun, else runc
  std::string group;                     // of the UNIX sockets; empty: the daemon's own
  std::string cgroup_parent = "/quoll";  // of the containers' cgroups, in each hierarchy
  bool live_restore = true;              // containers run on when the daemon ends
  bool gops = false;                     // an agent for gops: stacks and profiles for every user of this host
  bool debug_on_hosts = true;            // serve /debug on `hosts` too; else on `debug_host` only
  bool test_hooks = false;               // routes for tests (test_hooks.hpp); a flag only
  bool insecure_tcp = false;             // TCP without TLS on other addresses than loopback
  int shutdown_timeout_s = 15;
  mgr::RegistryServiceOptions registry;                      // insecure registries, mirrors, certificates, bounds
  std::int64_t heap_sample_bytes = debug::kHeapSampleBytes;  // 0: allocations are not sampled
  std::size_t workers = 0;                                   // 0: one a processor, at most 8
};

// Flags win over the file's defaults; what both say is refused, as dockerd does. `--help` and `--version` print and
// give nothing.
//
// Errors: kInvalidArgument naming the flag, or the file and its key.
std::optional<Config> read_config(int argc, const char* const* argv);

// REQUIRES: a level that read_config() has let through.
void set_log_level(const std::string& level);

// Reads daemon.json over `config`. `from_flags` are the keys that flags have set.
void apply_config_file(Config& config, std::string_view text, const std::vector<std::string>& from_flags);

// One --host.
struct HostAddress {
  enum class Kind { kUnix, kTcp };
  Kind kind = Kind::kUnix;
  std::string path;     // UNIX
  std::string address;  // TCP
  std::uint16_t port = 0;
};

// Errors: kInvalidArgument for another form; kPermissionDenied for TCP that is not on loopback unless `insecure`.
HostAddress parse_host(const std::string& text, bool insecure);

}  // namespace quoll::daemon
