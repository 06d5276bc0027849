#include "mgr/registry/registry_url.hpp"

#include <algorithm>
#include <charconv>

namespace quoll::mgr {

namespace {

constexpr std::size_t kUrlMax = 16 * 1024;

bool is_plain(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
}

}  // namespace

std::string RegistryUrl::origin() const { return (tls ? "https://" : "http://") + authority(); }

std::string RegistryUrl::authority() const {
  std::string text = host.find(':') == host.npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

std::optional<RegistryUrl> RegistryUrl::parse(std::string_view text) {
  if (text.size() > kUrlMax || !is_plain(text)) return std::nullopt;
  RegistryUrl url;
  url.tls = text.starts_with("https://");
  if (!url.tls && !text.starts_with("http://")) return std::nullopt;
  text.remove_prefix(url.tls ? 8 : 7);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  std::string_view authority = text.substr(0, end);
  std::string_view target = text.substr(end);
  target = target.substr(0, target.find('#'));
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  if (authority.find('@') != authority.npos) return std::nullopt;
  url.port = url.tls ? 443 : 80;
  const std::size_t colon = authority.rfind(':');
  if (colon != authority.npos && !authority.ends_with(']')) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
  url.host = authority;
  if (url.host.empty()) return std::nullopt;
  return url;
}

std::optional<RegistryUrl> RegistryUrl::resolve(std::string_view location) const {
  if (location.starts_with("http://") || location.starts_with("https://")) return parse(location);
  if (location.starts_with("//")) return parse((tls ? "https:" : "http:") + std::string(location));
  if (location.empty() || location.size() > kUrlMax || !is_plain(location)) return std::nullopt;
  RegistryUrl url = *this;
  if (location.front() == '/') {
    url.target = location;
  } else {
    const std::string_view path = std::string_view(target).substr(0, target.find('?'));
    url.target = std::string(path.substr(0, path.rfind('/') + 1)) + std::string(location);
  }
  return url;
}

}  // namespace quoll::mgr
