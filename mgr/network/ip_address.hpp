// IPv4 and IPv6 addresses and subnets as numbers, to be counted through.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quoll::mgr {

enum class IpFamily : std::uint8_t { kV4, kV6 };

__extension__ using IpNumber = unsigned __int128;

struct IpAddress {
  IpFamily family = IpFamily::kV4;
  IpNumber number = 0;  // in host order

  auto operator<=>(const IpAddress&) const = default;
  IpAddress operator+(std::uint64_t offset) const { return {family, number + offset}; }
  bool is_unspecified() const { return number == 0; }
  bool is_loopback() const;
};

constexpr int address_bits(IpFamily family) { return family == IpFamily::kV4 ? 32 : 128; }

// Nothing where `text` is no address.
std::optional<IpAddress> parse_ip_address(std::string_view text);
std::string to_string(const IpAddress& address);

// A subnet; `address` has no bits beyond the prefix.
struct IpPrefix {
  IpAddress address;
  int length = 0;

  auto operator<=>(const IpPrefix&) const = default;
  IpAddress last() const;
  bool contains(const IpAddress& other) const;
  bool contains(const IpPrefix& other) const { return other.length >= length && contains(other.address); }
  bool overlaps(const IpPrefix& other) const { return contains(other.address) || other.contains(address); }
};

// The subnet of `length` that `address` is in.
IpPrefix prefix_of(const IpAddress& address, int length);

// "172.17.0.0/16"; bits beyond the prefix are dropped. Nothing where `text` is none.
std::optional<IpPrefix> parse_ip_prefix(std::string_view text);
std::string to_string(const IpPrefix& prefix);

}  // namespace quoll::mgr
