// Subnets for networks whose client left them open.
#pragma once

#include <string_view>
#include <vector>

#include "mgr/network/ip_address.hpp"

namespace quoll::mgr {

// The first of Docker's default pools (172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/20 and on) that overlaps none
// of `used`.
//
// Errors: kResourceExhausted in Docker's words.
IpPrefix choose_ipv4_subnet(const std::vector<IpPrefix>& used);

// A /64 of the unique local prefix that belongs to `installation`, as RFC 4193 has it.
IpPrefix choose_ipv6_subnet(std::string_view installation, const std::vector<IpPrefix>& used);

}  // namespace quoll::mgr
