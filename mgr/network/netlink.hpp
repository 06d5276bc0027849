// The few messages of rtnetlink that networks need, sent and answered one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgr/network/ip_address.hpp"
#include "mgr/network/netlink_socket.hpp"

namespace quoll::mgr {

using MacAddress = std::array<std::uint8_t, 6>;
std::optional<MacAddress> parse_mac_address(std::string_view text);
std::string to_string(const MacAddress& mac);

struct LinkInfo {
  int index = 0;
  std::uint32_t group = 0;
  std::string name;
  int master = 0;  // index of its bridge; 0: none
};

// One end of a pair that is made in another network namespace.
struct PeerLink {
  int namespace_fd = -1;  // borrowed
  std::string name;
  MacAddress mac{};
};

// A socket of the network namespace that the thread was in when it was made.
//
// Thread: one at a time. Calls take microseconds, but wait for the kernel's one lock of links: not on a worker.
// Errors: kInternal with the kernel's reason, or as system_error() classes it, naming the link.
class Netlink {
 public:
  Netlink();
  // A socket in another namespace; the calling thread is back in its own when this returns.
  static Netlink in_namespace(int namespace_fd);

  // `group` marks links as this installation's. They are up when made, but for the peer.
  void add_bridge(const std::string& name, std::uint32_t group, const MacAddress& mac, int mtu);
  void add_pair(const std::string& name, std::uint32_t group, int bridge_index, int mtu, const PeerLink& peer);

  // A port of a bridge: its own packets may come back to it (a container that asks for its own published port), and, if
  // `isolated`, it reaches no other isolated port.
  void set_bridge_port(int index, bool isolated);

  std::optional<LinkInfo> find_link(const std::string& name);
  std::vector<LinkInfo> links();
  void set_up(int index);
  // One that is not there is no error.
  void delete_link(int index);
  void delete_link(const std::string& name);

  // One that is there is no error.
  void add_address(int index, const IpAddress& address, int prefix_length);
  void add_default_route(int index, const IpAddress& gateway);
  void delete_default_route(IpFamily family);
  // Subnets that the namespace's routes lead to, the default routes apart, with the link they lead over.
  struct Route {
    IpPrefix destination;
    int link = 0;
  };
  std::vector<Route> routes();

 private:
  NetlinkSocket socket_;
};

// Runs `action` with the calling thread inside the namespace: for /proc/sys/net, which shows the caller's own.
void run_in_namespace(int namespace_fd, const std::function<void()>& action);

}  // namespace quoll::mgr
