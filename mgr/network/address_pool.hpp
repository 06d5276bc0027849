// Which addresses of a network are taken, and which one is given out next.
#pragma once

#include <optional>
#include <set>

#include "mgr/network/network.hpp"

namespace quoll::mgr {

// The lowest free address is given out, as Docker does. Network and broadcast address, gateway and auxiliary addresses
// never are. What was taken before a restart is taken again by reserve().
//
// Thread: one at a time.
class AddressPool {
 public:
  explicit AddressPool(const AddressRange& range);

  // Errors: kFailedPrecondition in Docker's words where none is free.
  IpAddress take();
  // A certain one.
  //
  // Errors: kInvalidArgument outside of the subnet; kPermissionDenied "Address already in use", as Docker classes it.
  void take(const IpAddress& address);
  void release(const IpAddress& address);

  const IpPrefix& subnet() const { return range_.subnet; }
  std::size_t taken() const { return taken_.size(); }

 private:
  bool is_reserved(const IpAddress& address) const;

  const AddressRange range_;
  const IpPrefix span_;        // where take() looks
  std::set<IpAddress> taken_;  // by containers
};

}  // namespace quoll::mgr
