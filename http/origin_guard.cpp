// Keeps web pages from using a browser on this host as their way to the daemon: a page's requests carry its Origin,
// and a page that has pointed a name of its own at 127.0.0.1 carries that name as Host.
#include <arpa/inet.h>

#include <algorithm>

#include "http/connection.hpp"

namespace quoll::http {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::any_of(list.begin(), list.end(), [&](const auto& item) { return equals_ignoring_case(item, text); });
}

// "[::1]:2375" -> "::1", "localhost:80" -> "localhost".
std::string_view without_port(std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    return close == std::string_view::npos ? std::string_view() : authority.substr(1, close - 1);
  }
  return authority.substr(0, authority.find(':'));
}

bool is_address(std::string_view host) {
  in6_addr address;
  const std::string text(host);
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 || ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

}  // namespace

std::string_view foreign_origin(const Request& request, const ServerOptions& options) {
  const std::string_view authority = request.header("Host");
  const std::string_view host = without_port(authority);
  if (!equals_ignoring_case(host, "localhost") && !is_address(host) && !contains(options.allowed_hosts, host)) {
    return "the Host header names neither this host nor an allowed one";
  }
  if (!request.has_header("Origin")) return {};
  const std::string_view origin = request.header("Origin");
  if (contains(options.allowed_origins, origin)) return {};
  const std::size_t scheme_end = origin.find("://");
  const bool own =
      scheme_end != std::string_view::npos && equals_ignoring_case(origin.substr(scheme_end + 3), authority);
  return own ? std::string_view() : "requests of foreign web pages are not served";
}

}  // namespace quoll::http
