#include "mgr/registry/registry_proxy.hpp"

#include <algorithm>
#include <cstdlib>

#include "http/base64.hpp"
#include "http/uri.hpp"
#include "mgr/letter_case.hpp"
#include "mgr/registry/ip_network.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::string_view kHidden = "xxxxx";

std::string environment(const char* capitals, const char* small) {
  for (const char* name : {capitals, small}) {
    if (const char* const value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool is_loopback(const std::string& host) {
  static const auto kV4 = IpNetwork::parse("127.0.0.0/8");
  static const auto kV6 = IpNetwork::parse("::1/128");
  return host == "localhost" || kV4->contains(host) || kV6->contains(host);
}

// Whether one entry of NO_PROXY means the host.
bool means(std::string entry, const std::string& host, std::uint16_t port) {
  if (entry == "*") return true;
  if (const auto network = IpNetwork::parse(entry)) return network->contains(host);
  if (entry.starts_with('[') || std::ranges::count(entry, ':') == 1) {
    const std::size_t colon = entry.rfind(':');
    if (colon != entry.npos && entry.find(']', colon) == entry.npos) {
      if (entry.substr(colon + 1) != std::to_string(port)) return false;
      entry.resize(colon);
    }
  }
  if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  if (const auto address = IpNetwork::of_address(entry)) return address->contains(host);
  if (entry.starts_with("*.")) entry.erase(0, 1);
  if (entry.starts_with('.')) return host.ends_with(entry);
  return host == entry || host.ends_with("." + entry);
}

bool is_excepted(std::string_view list, const std::string& host, std::uint16_t port) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view entry = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    while (entry.ends_with(' ')) entry.remove_suffix(1);
    if (!entry.empty() && means(lower(entry), host, port)) return true;
  }
  return false;
}

// The user and password of "scheme://USER:PASSWORD@host", and where they stand.
struct UserPart {
  std::size_t begin = 0;
  std::size_t end = 0;  // of the @; 0: there is none
};

UserPart user_part(std::string_view proxy) {
  const std::size_t scheme = proxy.find("://");
  const std::size_t begin = scheme == proxy.npos ? 0 : scheme + 3;
  const std::size_t at = proxy.substr(0, proxy.find('/', begin)).rfind('@');
  return at == proxy.npos || at < begin ? UserPart{begin, 0} : UserPart{begin, at};
}

std::string without_password(const std::string& proxy) {
  const UserPart user = user_part(proxy);
  const std::size_t colon = proxy.find(':', user.begin);
  if (user.end == 0 || colon > user.end) return proxy;
  return proxy.substr(0, colon + 1) + std::string(kHidden) + proxy.substr(user.end);
}

http::ClientProxy parse_proxy(const std::string& text) {
  const std::string whole = text.find("://") == text.npos ? "http://" + text : text;
  const UserPart user = user_part(whole);
  std::string bare = whole;
  if (user.end != 0) bare.erase(user.begin, user.end + 1 - user.begin);
  const auto url = RegistryUrl::parse(bare);
  if (!url || url->tls) {
    throw Error(ErrorClass::kInvalidArgument, "proxy " + without_password(text) + " is not supported: only http:// is");
  }
  http::ClientProxy proxy{url->host, url->port, {}};
  if (user.end != 0) {
    const std::string credentials = whole.substr(user.begin, user.end - user.begin);
    proxy.authorization = "Basic " + http::to_base64(http::percent_decode(credentials, false).value_or(credentials));
  }
  return proxy;
}

}  // namespace

ProxySettings ProxySettings::from_environment() {
  return {environment("HTTP_PROXY", "http_proxy"), environment("HTTPS_PROXY", "https_proxy"),
          environment("NO_PROXY", "no_proxy")};
}

std::optional<http::ClientProxy> ProxySettings::proxy_for(const RegistryUrl& url) const {
  const std::string& proxy = url.tls ? https_proxy : http_proxy;
  const std::string host = lower(url.host);
  if (proxy.empty() || is_loopback(host) || is_excepted(no_proxy, host, url.port)) return std::nullopt;
  return parse_proxy(proxy);
}

ProxySettings ProxySettings::shown() const {
  return {without_password(http_proxy), without_password(https_proxy), no_proxy};
}

}  // namespace quoll::mgr
