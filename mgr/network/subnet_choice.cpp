#include "mgr/network/subnet_choice.hpp"

#include <algorithm>
#include <functional>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

bool is_free(const IpPrefix& subnet, const std::vector<IpPrefix>& used) {
  return std::ranges::none_of(used, [&](const IpPrefix& other) { return other.overlaps(subnet); });
}

[[noreturn]] void refuse() {
  throw Error(ErrorClass::kResourceExhausted, "all predefined address pools have been fully subnetted");
}

}  // namespace

IpPrefix choose_ipv4_subnet(const std::vector<IpPrefix>& used) {
  const auto address = [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    return IpAddress{IpFamily::kV4, IpNumber{a << 24 | b << 16 | c << 8}};
  };
  for (std::uint32_t second = 17; second <= 31; ++second) {
    const IpPrefix subnet{address(172, second, 0), 16};
    if (is_free(subnet, used)) return subnet;
  }
  for (std::uint32_t third = 0; third < 256; third += 16) {
    const IpPrefix subnet{address(192, 168, third), 20};
    if (is_free(subnet, used)) return subnet;
  }
  refuse();
}

IpPrefix choose_ipv6_subnet(std::string_view installation, const std::vector<IpPrefix>& used) {
  const std::uint64_t global_id = std::hash<std::string_view>()(installation) & 0xff'ffff'ffff;
  const std::uint64_t prefix = std::uint64_t{0xfd} << 56 | global_id << 16;
  for (std::uint64_t number = 0; number < 65536; ++number) {
    const IpPrefix subnet{{IpFamily::kV6, IpNumber{prefix | number} << 64}, 64};
    if (is_free(subnet, used)) return subnet;
  }
  refuse();
}

}  // namespace quoll::mgr
