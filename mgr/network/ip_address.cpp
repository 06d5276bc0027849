#include "mgr/network/ip_address.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace quoll::mgr {
namespace {

IpNumber host_mask(IpFamily family, int length) {
  const int bits = address_bits(family) - length;
  return bits == 128 ? ~IpNumber{0} : (IpNumber{1} << bits) - 1;
}

}  // namespace

bool IpAddress::is_loopback() const { return family == IpFamily::kV4 ? number >> 24 == 127 : number == 1; }

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  std::array<unsigned char, 16> bytes{};
  const std::string terminated(text);
  IpAddress address;
  if (::inet_pton(AF_INET, terminated.c_str(), bytes.data()) != 1) {
    if (::inet_pton(AF_INET6, terminated.c_str(), bytes.data()) != 1) return std::nullopt;
    address.family = IpFamily::kV6;
  }
  for (int byte = 0; byte < address_bits(address.family) / 8; ++byte) {
    address.number = address.number << 8 | bytes[static_cast<std::size_t>(byte)];
  }
  return address;
}

std::string to_string(const IpAddress& address) {
  std::array<unsigned char, 16> bytes{};
  const int count = address_bits(address.family) / 8;
  IpNumber rest = address.number;
  for (int byte = count - 1; byte >= 0; --byte, rest >>= 8) {
    bytes[static_cast<std::size_t>(byte)] = static_cast<unsigned char>(rest);
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = address.family == IpFamily::kV4 ? AF_INET : AF_INET6;
  return ::inet_ntop(family, bytes.data(), text.data(), text.size());
}

IpAddress IpPrefix::last() const { return {address.family, address.number | host_mask(address.family, length)}; }

bool IpPrefix::contains(const IpAddress& other) const {
  return other.family == address.family && (other.number & ~host_mask(other.family, length)) == address.number;
}

IpPrefix prefix_of(const IpAddress& address, int length) {
  return {{address.family, address.number & ~host_mask(address.family, length)}, length};
}

std::optional<IpPrefix> parse_ip_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_ip_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  int length = -1;
  const auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (length < 0 || length > address_bits(address->family)) return std::nullopt;
  return prefix_of(*address, length);
}

std::string to_string(const IpPrefix& prefix) {
  return to_string(prefix.address) + "/" + std::to_string(prefix.length);
}

}  // namespace quoll::mgr
