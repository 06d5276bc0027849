#include "mgr/network/netlink.hpp"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using Message = NetlinkMessage;

void check(int error, const std::string& doing) {
  if (error != 0) throw system_error(error, doing);
}

int kernel_family(IpFamily family) { return family == IpFamily::kV4 ? AF_INET : AF_INET6; }

LinkInfo link_of(const nlmsghdr* message) {
  const auto* const header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  LinkInfo link;
  link.index = header->ifi_index;
  for_each_attribute(message, sizeof(ifinfomsg), [&link](std::uint16_t type, const nlattr* attribute) {
    if (type == IFLA_IFNAME) link.name = mnl_attr_get_str(attribute);
    if (type == IFLA_GROUP) link.group = mnl_attr_get_u32(attribute);
    if (type == IFLA_MASTER) link.master = static_cast<int>(mnl_attr_get_u32(attribute));
  });
  return link;
}

}  // namespace

std::optional<MacAddress> parse_mac_address(std::string_view text) {
  MacAddress mac{};
  if (text.size() != 17) return std::nullopt;
  for (std::size_t byte = 0; byte < mac.size(); ++byte) {
    const std::string digits(text.substr(byte * 3, 2));
    char* end = nullptr;
    if (std::isxdigit(static_cast<unsigned char>(digits[0])) == 0) return std::nullopt;
    mac[byte] = static_cast<std::uint8_t>(std::strtoul(digits.c_str(), &end, 16));
    if (*end != '\0') return std::nullopt;
    if (byte < 5 && text[byte * 3 + 2] != ':' && text[byte * 3 + 2] != '-') return std::nullopt;
  }
  return mac;
}

std::string to_string(const MacAddress& mac) {
  std::string text;
  for (const std::uint8_t byte : mac) {
    if (!text.empty()) text += ':';
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

void run_in_namespace(int namespace_fd, const std::function<void()>& action) {
  const UniqueFd own(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!own) throw system_error(errno, "open /proc/thread-self/ns/net");
  if (::setns(namespace_fd, CLONE_NEWNET) != 0) throw system_error(errno, "enter a network namespace");
  struct Return {
    int fd;
    ~Return() {
      if (::setns(fd, CLONE_NEWNET) == 0) return;
      // A thread that stays in a container's namespace would do the host's work there.
      spdlog::critical("cannot return to the daemon's network namespace: {}", std::strerror(errno));
      std::abort();
    }
  };
  const Return back{own.get()};
  action();
}

Netlink::Netlink() : socket_(NETLINK_ROUTE) {}

Netlink Netlink::in_namespace(int namespace_fd) {
  std::optional<Netlink> made;
  run_in_namespace(namespace_fd, [&made] { made.emplace(); });
  return std::move(*made);
}

void Netlink::add_bridge(const std::string& name, std::uint32_t group, const MacAddress& mac, int mtu) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  auto& header = message.extra<ifinfomsg>();
  header.ifi_flags = header.ifi_change = IFF_UP;
  message.put(IFLA_IFNAME, name);
  message.put(IFLA_GROUP, group);
  message.put(IFLA_ADDRESS, mac);  // a fixed one: else it changes with the ports, and containers talk to a dead one
  if (mtu > 0) message.put(IFLA_MTU, static_cast<std::uint32_t>(mtu));
  nlattr* const info = message.begin(IFLA_LINKINFO);
  message.put(IFLA_INFO_KIND, std::string("bridge"));
  message.end(info);
  check(socket_.request(message.get()), "make bridge " + name);
}

void Netlink::add_pair(const std::string& name, std::uint32_t group, int bridge_index, int mtu, const PeerLink& peer) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  auto& header = message.extra<ifinfomsg>();
  header.ifi_flags = header.ifi_change = IFF_UP;
  message.put(IFLA_IFNAME, name);
  message.put(IFLA_GROUP, group);
  message.put(IFLA_MASTER, static_cast<std::uint32_t>(bridge_index));
  if (mtu > 0) message.put(IFLA_MTU, static_cast<std::uint32_t>(mtu));
  nlattr* const info = message.begin(IFLA_LINKINFO);
  message.put(IFLA_INFO_KIND, std::string("veth"));
  nlattr* const data = message.begin(IFLA_INFO_DATA);
  nlattr* const other = message.begin(VETH_INFO_PEER);
  message.extra<ifinfomsg>();  // not up: it cannot be before it knows its other end
  message.put(IFLA_IFNAME, peer.name);
  message.put(IFLA_ADDRESS, peer.mac);
  message.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(peer.namespace_fd));
  if (mtu > 0) message.put(IFLA_MTU, static_cast<std::uint32_t>(mtu));
  message.end(other);
  message.end(data);
  message.end(info);
  check(socket_.request(message.get()), "make link " + name);
}

void Netlink::set_bridge_port(int index, bool isolated) {
  Message message(RTM_SETLINK, 0);
  auto& header = message.extra<ifinfomsg>();
  header.ifi_family = AF_BRIDGE;
  header.ifi_index = index;
  nlattr* const port = message.begin(IFLA_PROTINFO | NLA_F_NESTED);
  message.put_byte(IFLA_BRPORT_MODE, 1);
  if (isolated) message.put_byte(IFLA_BRPORT_ISOLATED, 1);
  message.end(port);
  check(socket_.request(message.get()), "set up a port of a bridge");
}

std::optional<LinkInfo> Netlink::find_link(const std::string& name) {
  Message message(RTM_GETLINK, 0);
  message.extra<ifinfomsg>();
  message.put(IFLA_IFNAME, name);
  std::optional<LinkInfo> found;
  const int error = socket_.request(message.get(), [&found](const nlmsghdr* part) { found = link_of(part); });
  if (error != ENODEV) check(error, "find link " + name);
  return found;
}

std::vector<LinkInfo> Netlink::links() {
  Message message(RTM_GETLINK, 0);
  message.extra<ifinfomsg>();
  std::vector<LinkInfo> found;
  socket_.dump(message.get(), [&found](const nlmsghdr* part) { found.push_back(link_of(part)); });
  return found;
}

void Netlink::set_up(int index) {
  Message message(RTM_SETLINK, 0);
  auto& header = message.extra<ifinfomsg>();
  header.ifi_index = index;
  header.ifi_flags = header.ifi_change = IFF_UP;
  check(socket_.request(message.get()), "set link up");
}

void Netlink::delete_link(int index) {
  Message message(RTM_DELLINK, 0);
  message.extra<ifinfomsg>().ifi_index = index;
  const int error = socket_.request(message.get());
  if (error != ENODEV) check(error, "delete link");
}

void Netlink::delete_link(const std::string& name) {
  Message message(RTM_DELLINK, 0);
  message.extra<ifinfomsg>();
  message.put(IFLA_IFNAME, name);
  const int error = socket_.request(message.get());
  if (error != ENODEV) check(error, "delete link " + name);
}

void Netlink::add_address(int index, const IpAddress& address, int prefix_length) {
  Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  auto& header = message.extra<ifaddrmsg>();
  header.ifa_family = static_cast<std::uint8_t>(kernel_family(address.family));
  header.ifa_prefixlen = static_cast<std::uint8_t>(prefix_length);
  header.ifa_index = static_cast<std::uint32_t>(index);
  // Nobody else has the address, so there is nothing to wait for.
  if (address.family == IpFamily::kV6) header.ifa_flags = IFA_F_NODAD;
  message.put(IFA_LOCAL, address);
  message.put(IFA_ADDRESS, address);
  if (address.family == IpFamily::kV4) {
    message.put(IFA_BROADCAST, prefix_of(address, prefix_length).last());
  }
  check(socket_.request(message.get()), "add address " + to_string(address));
}

void Netlink::add_default_route(int index, const IpAddress& gateway) {
  Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  auto& header = message.extra<rtmsg>();
  header.rtm_family = static_cast<std::uint8_t>(kernel_family(gateway.family));
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_BOOT;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  message.put(RTA_GATEWAY, gateway);
  message.put(RTA_OIF, static_cast<std::uint32_t>(index));
  check(socket_.request(message.get()), "add a default route over " + to_string(gateway));
}

void Netlink::delete_default_route(IpFamily family) {
  Message message(RTM_DELROUTE, 0);
  auto& header = message.extra<rtmsg>();
  header.rtm_family = static_cast<std::uint8_t>(kernel_family(family));
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_BOOT;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  const int error = socket_.request(message.get());
  if (error != ESRCH) check(error, "delete a default route");
}

std::vector<Netlink::Route> Netlink::routes() {
  std::vector<Route> found;
  Message message(RTM_GETROUTE, 0);
  message.extra<rtmsg>();
  socket_.dump(message.get(), [&found](const nlmsghdr* part) {
    const auto* const header = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(part));
    const bool is_ip = header->rtm_family == AF_INET || header->rtm_family == AF_INET6;
    if (!is_ip || header->rtm_type != RTN_UNICAST || header->rtm_dst_len == 0) return;
    const IpFamily family = header->rtm_family == AF_INET ? IpFamily::kV4 : IpFamily::kV6;
    Route route;
    for_each_attribute(part, sizeof(rtmsg), [&](std::uint16_t type, const nlattr* attribute) {
      if (type == RTA_DST) route.destination = prefix_of(address_of(attribute, family), header->rtm_dst_len);
      if (type == RTA_OIF) route.link = static_cast<int>(mnl_attr_get_u32(attribute));
    });
    found.push_back(route);
  });
  return found;
}

}  // namespace quoll::mgr
