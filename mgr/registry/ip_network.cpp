#include "mgr/registry/ip_network.hpp"

#include <arpa/inet.h>

#include <charconv>

namespace quoll::mgr {

namespace {

std::vector<unsigned char> address_bytes(const std::string& text) {
  in6_addr bytes{};
  if (::inet_pton(AF_INET, text.c_str(), &bytes) == 1) {
    return {bytes.s6_addr, bytes.s6_addr + 4};
  }
  if (::inet_pton(AF_INET6, text.c_str(), &bytes) == 1) {
    return {bytes.s6_addr, bytes.s6_addr + 16};
  }
  return {};
}

}  // namespace

std::optional<IpNetwork> IpNetwork::of_address(const std::string& text) {
  IpNetwork network;
  network.address_ = address_bytes(text);
  network.prefix_ = static_cast<unsigned>(network.address_.size() * 8);
  return network.address_.empty() ? std::nullopt : std::optional(std::move(network));
}

std::optional<IpNetwork> IpNetwork::parse(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  auto network = of_address(text.substr(0, slash));
  if (!network) return std::nullopt;
  const unsigned bits = network->prefix_;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + slash + 1, end, network->prefix_);
  if (parsed.ec != std::errc() || parsed.ptr != end || network->prefix_ > bits) return std::nullopt;
  return network;
}

bool IpNetwork::contains(const std::string& text) const {
  const auto address = address_bytes(text);
  if (address.size() != address_.size()) return false;
  for (unsigned bit = 0; bit < prefix_; ++bit) {
    const unsigned char mask = static_cast<unsigned char>(0x80 >> (bit % 8));
    if ((address[bit / 8] & mask) != (address_[bit / 8] & mask)) return false;
  }
  return true;
}

}  // namespace quoll::mgr
