// The URLs that registries hand out: of uploads, of redirects, of token servers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quoll::mgr {

struct RegistryUrl {
  bool tls = true;
  std::string host;  // without brackets
  std::uint16_t port = 443;
  std::string target = "/";  // path and query

  // "https://localhost:5000": scheme, host, and the port where it is not the usual one.
  std::string origin() const;
  std::string authority() const;  // the same without the scheme
  std::string text() const { return origin() + target; }

  // Nothing for what is no http or https URL.
  static std::optional<RegistryUrl> parse(std::string_view text);
  // What a Location header in the answer of this URL means. Nothing where it is malformed.
  std::optional<RegistryUrl> resolve(std::string_view location) const;

  friend bool operator==(const RegistryUrl&, const RegistryUrl&) = default;
};

}  // namespace quoll::mgr
