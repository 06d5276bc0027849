#include "mgr/network/address_pool.hpp"

#include <algorithm>

#include "task/error.hpp"

namespace quoll::mgr {

AddressPool::AddressPool(const AddressRange& range) : range_(range), span_(range.ip_range.value_or(range.subnet)) {}

bool AddressPool::is_reserved(const IpAddress& address) const {
  if (address == range_.subnet.address || address == gateway_of(range_)) return true;
  if (address.family == IpFamily::kV4 && address == range_.subnet.last()) return true;
  return std::ranges::any_of(range_.auxiliary, [&](const auto& entry) { return entry.second == address; });
}

IpAddress AddressPool::take() {
  // Taken addresses are sorted, so this looks at no more candidates than there are taken and reserved ones.
  const IpAddress last = span_.last();
  for (IpAddress candidate = span_.address;; candidate = candidate + 1) {
    if (!is_reserved(candidate) && taken_.insert(candidate).second) return candidate;
    if (candidate == last) break;
  }
  throw Error(ErrorClass::kFailedPrecondition,
              "no available IPv" + std::string(last.family == IpFamily::kV4 ? "4" : "6") +
                  " addresses on this network's address pools: " + to_string(range_.subnet));
}

void AddressPool::take(const IpAddress& address) {
  if (!range_.subnet.contains(address)) {
    throw Error(ErrorClass::kInvalidArgument,
                "no configured subnet or ip-range contain the IP address " + to_string(address));
  }
  if (is_reserved(address) || !taken_.insert(address).second) {
    throw Error(ErrorClass::kPermissionDenied, "Address already in use");
  }
}

void AddressPool::release(const IpAddress& address) { taken_.erase(address); }

}  // namespace quoll::mgr
