// Which proxy leads to a registry: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as dockerd takes them from its environment.
#pragma once

#include <optional>
#include <string>

#include "http/client.hpp"
#include "mgr/registry/registry_url.hpp"

namespace quoll::mgr {

struct ProxySettings {
  std::string http_proxy;   // "http://user:password@proxy:3128", or without the scheme; empty: none
  std::string https_proxy;  // the same, for https
  // Who is reached without: names (their subdomains with them), ".name" for subdomains alone, addresses, networks, each
  // with a port or without; "*" is everybody.
  std::string no_proxy;

  // In capitals, or else in small letters.
  static ProxySettings from_environment();

  // Nothing for whom is reached without, and for this host itself always: localhost and loopback.
  // Errors: kInvalidArgument for a proxy that is none of ours (socks5, https), naming it without its password.
  std::optional<http::ClientProxy> proxy_for(const RegistryUrl& url) const;

  // As /info shows them: passwords as "xxxxx".
  ProxySettings shown() const;

  friend bool operator==(const ProxySettings&, const ProxySettings&) = default;
};

}  // namespace quoll::mgr
