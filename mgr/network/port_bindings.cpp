#include "mgr/network/port_bindings.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mgr/container/container_config_fields.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

[[noreturn]] void refuse_port(const std::string& text) {
  throw Error(ErrorClass::kInvalidArgument, "invalid port specification: \"" + text + "\"");
}

std::uint16_t parse_number(const std::string& text, const std::string& whole) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) refuse_port(whole);
  return number;
}

PortBinding parse_binding(const Port& container, const json& entry, const std::string& field) {
  JsonFields fields(entry, field + ".");
  PortBinding binding{.container = container, .host_ip = fields.text("HostIp")};
  if (!binding.host_ip.empty() && !parse_ip_address(binding.host_ip)) {
    throw Error(ErrorClass::kInvalidArgument, "invalid IP address: " + binding.host_ip);
  }
  const std::string port = fields.text("HostPort");
  fields.refuse_the_rest();
  if (port.empty()) return binding;
  const std::size_t dash = port.find('-');
  binding.first = parse_number(port.substr(0, dash), port);
  binding.last = dash == std::string::npos ? binding.first : parse_number(port.substr(dash + 1), port);
  if (binding.last < binding.first) refuse_port(port);
  return binding;
}

struct EphemeralRange {
  std::uint16_t first = 32768, last = 60999;
};

EphemeralRange ephemeral_range() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  EphemeralRange range;
  file >> range.first >> range.last;
  return range.first <= range.last && range.first > 0 ? range : EphemeralRange{};
}

std::string socket_text(const IpAddress& address, std::uint16_t port) {
  const bool v6 = address.family == IpFamily::kV6;
  return (v6 ? "[" : "") + to_string(address) + (v6 ? "]" : "") + ":" + std::to_string(port);
}

// A socket that has the port. Nothing is ever accepted on it: the packets are translated before they reach it.
// Errors: an errno.
UniqueFd hold_port(const IpAddress& address, std::uint16_t number, PortProtocol protocol, int& error) {
  const bool v6 = address.family == IpFamily::kV6;
  const int type = protocol == PortProtocol::kUdp ? SOCK_DGRAM : SOCK_STREAM;
  const int kind = protocol == PortProtocol::kSctp ? IPPROTO_SCTP : 0;
  error = 0;
  UniqueFd fd(::socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, kind));
  if (!fd) {
    error = protocol == PortProtocol::kSctp ? 0 : errno;  // a kernel without SCTP has no one to take its ports
    return fd;
  }
  const int on = 1;
  // Connections that have ended a moment ago do not keep a port from being taken; a listening socket does.
  if (protocol != PortProtocol::kUdp) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (v6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  sockaddr_storage name{};
  socklen_t length = 0;
  if (v6) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(name);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(number);
    ::inet_pton(AF_INET6, to_string(address).c_str(), &in6.sin6_addr);
    length = sizeof in6;
  } else {
    auto& in = reinterpret_cast<sockaddr_in&>(name);
    in.sin_family = AF_INET;
    in.sin_port = htons(number);
    ::inet_pton(AF_INET, to_string(address).c_str(), &in.sin_addr);
    length = sizeof in;
  }
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), length) != 0) error = errno;
  if (error == 0 && protocol != PortProtocol::kUdp && ::listen(fd.get(), 0) != 0) error = errno;
  return fd;
}

// Where a binding is taken: one address for each family that the container has and the binding allows.
std::vector<IpAddress> host_addresses(const PortBinding& binding, std::span<const IpFamily> families,
                                      const std::string& default_address) {
  const auto has = [families](IpFamily family) { return std::ranges::find(families, family) != families.end(); };
  const std::string& named = binding.host_ip.empty() ? default_address : binding.host_ip;
  std::vector<IpAddress> addresses;
  if (named.empty()) {
    for (const IpFamily family : families) addresses.push_back({family, 0});
    return addresses;
  }
  const IpAddress address = *parse_ip_address(named);
  if (has(address.family)) addresses.push_back(address);
  return addresses;
}

}  // namespace

std::vector<PortBinding> parse_port_bindings(const json& bindings, const std::string& field) {
  std::vector<PortBinding> parsed;
  if (bindings.is_null()) return parsed;
  if (!bindings.is_object()) refuse_value(field, "expected an object");
  for (const auto& [text, entries] : bindings.items()) {
    const auto container = parse_port(text);
    if (!container || container->number == 0) refuse_port(text);
    if (entries.is_null()) continue;
    if (!entries.is_array()) refuse_value(field, "expected a list of bindings");
    for (const json& entry : entries) parsed.push_back(parse_binding(*container, entry, field));
  }
  return parsed;
}

json port_bindings_json(const std::vector<PortBinding>& bindings) {
  json all = json::object();
  for (const PortBinding& binding : bindings) {
    std::string port = binding.first == 0 ? "" : std::to_string(binding.first);
    if (binding.last != binding.first) port += "-" + std::to_string(binding.last);
    all[to_string(binding.container)].push_back({{"HostIp", binding.host_ip}, {"HostPort", port}});
  }
  return all;
}

bool HostPorts::is_taken(const HostPort& port) const {
  if (taken_.contains(port)) return true;
  if (port.address.is_unspecified()) {
    return std::ranges::any_of(taken_, [&](const auto& entry) {
      const HostPort& other = entry.first;
      return other.number == port.number && other.protocol == port.protocol &&
             other.address.family == port.address.family;
    });
  }
  return taken_.contains({{port.address.family, 0}, port.number, port.protocol});
}

PublishedPort HostPorts::take_one(const PortBinding& binding, const IpAddress& address) {
  const bool open = binding.first == 0;
  const EphemeralRange ephemeral = open ? ephemeral_range() : EphemeralRange{};
  const int first = open ? ephemeral.first : binding.first;
  const int last = open ? ephemeral.last : binding.last;
  const int count = last - first + 1;
  // A free one is looked for behind the last that was given out, so that a port is not given out again at once.
  const int start = open && next_ >= first && next_ <= last ? next_ : first;
  int error = 0;
  for (int step = 0; step < count; ++step) {
    const auto number = static_cast<std::uint16_t>(first + (start - first + step) % count);
    const HostPort port{address, number, binding.container.protocol};
    if (is_taken(port)) continue;
    UniqueFd holder = hold_port(address, number, binding.container.protocol, error);
    if (error == 0) {
      taken_.emplace(port, std::move(holder));
      if (open) next_ = static_cast<std::uint16_t>(number + 1);
      return {binding.container, address, number};
    }
    if (error != EADDRINUSE) break;
  }
  if (error != 0 && error != EADDRINUSE) {
    throw Error(ErrorClass::kInternal,
                "failed to bind host port for " + socket_text(address, binding.first) + "/" +
                    std::string(to_string(binding.container.protocol)) + ": " +
                    (error == EADDRNOTAVAIL ? "cannot assign requested address" : std::strerror(error)));
  }
  if (open) throw Error(ErrorClass::kInternal, "all ports are allocated");
  if (count > 1 || error == 0) {
    throw Error(ErrorClass::kInternal,
                "Bind for " + socket_text(address, binding.first) + " failed: port is already allocated");
  }
  throw Error(ErrorClass::kInternal, "failed to bind host port for " + socket_text(address, binding.first) + "/" +
                                         std::string(to_string(binding.container.protocol)) +
                                         ": address already in use");
}

std::vector<PublishedPort> HostPorts::take(const std::vector<PortBinding>& bindings, std::span<const IpFamily> families,
                                           const std::string& default_address) {
  std::vector<PublishedPort> ports;
  std::lock_guard lock(mutex_);
  try {
    for (PortBinding binding : bindings) {
      for (const IpAddress& address : host_addresses(binding, families, default_address)) {
        ports.push_back(take_one(binding, address));
        // One number for both families, as clients expect of an open one.
        binding.first = binding.last = ports.back().host_port;
      }
    }
  } catch (...) {
    for (const PublishedPort& port : ports) {
      taken_.erase({port.host_address, port.host_port, port.container.protocol});
    }
    throw;
  }
  return ports;
}

void HostPorts::take_again(const std::vector<PublishedPort>& ports) {
  std::lock_guard lock(mutex_);
  for (const PublishedPort& port : ports) {
    int error = 0;
    UniqueFd holder = hold_port(port.host_address, port.host_port, port.container.protocol, error);
    if (error != 0) {
      spdlog::warn("port {} leads to a container, and another program has it: {}",
                   socket_text(port.host_address, port.host_port), std::strerror(error));
    }
    taken_.insert_or_assign({port.host_address, port.host_port, port.container.protocol}, std::move(holder));
  }
}

void HostPorts::release(const std::vector<PublishedPort>& ports) {
  std::lock_guard lock(mutex_);
  for (const PublishedPort& port : ports) {
    taken_.erase({port.host_address, port.host_port, port.container.protocol});
  }
}

std::size_t HostPorts::taken() const {
  std::lock_guard lock(mutex_);
  return taken_.size();
}

}  // namespace quoll::mgr
