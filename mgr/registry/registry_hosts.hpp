// Where a registry is reached, and how much it is trusted: dockerd's insecure-registries, registry-mirrors and certs.d.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/registry/ip_network.hpp"
#include "mgr/registry/registry_proxy.hpp"
#include "mgr/registry/registry_url.hpp"

namespace quoll::http {
class TlsContext;
}

namespace quoll::mgr {

struct RegistryOptions {
  std::vector<std::string> insecure_registries;  // "host:port" or "10.0.0.0/8"; loopback always is
  std::vector<std::string> mirrors;              // of Docker Hub: "https://mirror.example"
  // CERTS_DIR/HOST:PORT/: *.crt are authorities; NAME.cert with NAME.key is what we show.
  std::string certs_dir = "/etc/docker/certs.d";
  std::size_t downloads_max = 3;    // layers at once from one registry
  std::size_t uploads_max = 5;      // layers at once, in one push
  std::int64_t stall_seconds = 30;  // a body may stand still for so long, in either direction
  ProxySettings proxies = ProxySettings::from_environment();
};

// One way to a registry.
struct RegistryEndpoint {
  RegistryUrl base;       // target is the prefix of /v2/, "/" nearly always
  std::string name;       // "localhost:5000", as in references and certs.d
  bool insecure = false;  // the certificate is not verified, and plain HTTP is allowed
  bool mirror = false;
};

// Thread: any.
class RegistryHosts {
 public:
  // Errors: kInvalidArgument naming the option's value.
  explicit RegistryHosts(RegistryOptions options);

  const RegistryOptions& options() const { return options_; }
  bool is_insecure(std::string_view registry) const;
  // In the order in which they are to be tried. `domain` is a reference's.
  std::vector<RegistryEndpoint> endpoints(std::string_view domain, bool with_mirrors) const;
  // For connections to that host; kept while the files of its certs.d directory stay the same.
  //
  // Blocks on the disk. Errors: kInvalidArgument for files that are no certificates.
  std::shared_ptr<const http::TlsContext> tls_context(const std::string& host_and_port, bool insecure);

 private:
  struct Entry {
    std::string fingerprint;
    std::shared_ptr<const http::TlsContext> context;
  };

  bool in_insecure_network(const std::string& host) const;

  const RegistryOptions options_;
  std::vector<IpNetwork> insecure_networks_;
  std::mutex mutex_;
  std::map<std::string, Entry> contexts_;  // guarded by mutex_
};

}  // namespace quoll::mgr
