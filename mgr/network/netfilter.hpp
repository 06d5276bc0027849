// What of netfilter changes with each container, and is done in the daemon: the elements of the table's maps, and the
// kernel's memory of flows of datagrams. The table itself is nft's work (firewall.hpp).
#pragma once

#include <string>
#include <vector>

#include "mgr/network/firewall.hpp"

namespace quoll::mgr {

// All functions block for some 100 µs; from any thread.

// Removes and then adds elements of the maps of `table`, in one transaction: all of it or nothing.
//
// Errors: as system_error(): kNotFound for an element or a table that is not there.
void change_port_elements(const std::string& table, const std::vector<PortRule>& remove,
                          const std::vector<PortRule>& add);

// The kernel translates a flow as it did its first datagram, for as long as the flow goes on. So a client that keeps
// sending from one port would go on to a container that has `closed`, or go on to the host although a container has
// `opened` now. Such flows are forgotten; their next datagram is translated anew. Nothing but UDP is looked at.
//
// Errors: as system_error(), on a kernel that has no such interface (CONFIG_NF_CT_NETLINK) too.
void forget_flows(const std::vector<PortRule>& closed, const std::vector<PortRule>& opened);

}  // namespace quoll::mgr
