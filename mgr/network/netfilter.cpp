#include "mgr/network/netfilter.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "mgr/network/netlink_socket.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::uint8_t number_of(PortProtocol protocol) {
  if (protocol == PortProtocol::kUdp) return IPPROTO_UDP;
  return protocol == PortProtocol::kSctp ? IPPROTO_SCTP : IPPROTO_TCP;
}

nfgenmsg& put_family(NetlinkMessage& message, int family) {
  auto& header = message.extra<nfgenmsg>();
  header.nfgen_family = static_cast<std::uint8_t>(family);
  header.version = NFNETLINK_V0;
  return header;
}

// Elements of maps.

constexpr std::size_t kElementsPerMessage = 400;  // an attribute holds 64 KB at most,
constexpr std::size_t kElementBytesMax = 100;     // and this is one in IPv6
constexpr std::size_t kElementMessageBytes = kElementsPerMessage * kElementBytesMax + 512;

// The parts of a concatenation are padded to four bytes each.
void append(Bytes& bytes, std::span<const std::uint8_t> part) {
  bytes.insert(bytes.end(), part.begin(), part.end());
  bytes.resize((bytes.size() + 3) / 4 * 4);
}

void append(Bytes& bytes, const IpAddress& address) {
  std::array<std::uint8_t, 16> part{};
  const std::size_t count = put_bytes(address, part);
  append(bytes, std::span<const std::uint8_t>(part.data(), count));
}

void append(Bytes& bytes, std::uint16_t port) {
  append(bytes, std::array<std::uint8_t, 2>{static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port)});
}

Bytes element_key(const PortRule& rule) {
  Bytes key;
  if (!rule.port.host_address.is_unspecified()) append(key, rule.port.host_address);
  append(key, std::array<std::uint8_t, 1>{number_of(rule.port.container.protocol)});
  append(key, rule.port.host_port);
  return key;
}

Bytes element_value(const PortRule& rule) {
  Bytes value;
  append(value, rule.target);
  append(value, rule.port.container.number);
  return value;
}

void put_data(NetlinkMessage& message, int type, const Bytes& bytes) {
  nlattr* const data = message.begin(type);
  message.put(NFTA_DATA_VALUE, bytes);
  message.end(data);
}

void put_element(NetlinkMessage& message, const PortRule& rule, bool with_value) {
  nlattr* const element = message.begin(NFTA_LIST_ELEM);
  put_data(message, NFTA_SET_ELEM_KEY, element_key(rule));
  if (with_value) put_data(message, NFTA_SET_ELEM_DATA, element_value(rule));
  message.end(element);
}

NetlinkMessage batch_mark(int type) {
  NetlinkMessage message(type, 0);
  put_family(message, AF_UNSPEC).res_id = htons(NFNL_SUBSYS_NFTABLES);
  return message;
}

void put_elements(std::vector<NetlinkMessage>& batch, const std::string& table, const std::vector<PortRule>& ports,
                  bool add) {
  std::map<std::string, std::vector<const PortRule*>> by_map;
  for (const PortRule& rule : ports) by_map[port_map_name(rule)].push_back(&rule);
  const int type = NFNL_SUBSYS_NFTABLES << 8 | (add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM);
  for (const auto& [map, rules] : by_map) {
    for (std::size_t begin = 0; begin < rules.size(); begin += kElementsPerMessage) {
      NetlinkMessage& message = batch.emplace_back(type, NLM_F_ACK | (add ? NLM_F_CREATE : 0), kElementMessageBytes);
      put_family(message, NFPROTO_INET);
      message.put(NFTA_SET_ELEM_LIST_TABLE, table);
      message.put(NFTA_SET_ELEM_LIST_SET, map);
      nlattr* const elements = message.begin(NFTA_SET_ELEM_LIST_ELEMENTS);
      const std::size_t end = std::min(rules.size(), begin + kElementsPerMessage);
      for (std::size_t at = begin; at < end; ++at) put_element(message, *rules[at], add);
      message.end(elements);
    }
  }
}

// Flows.

struct Flow {
  std::uint8_t protocol = 0;
  IpAddress sent_to;  // by whoever began
  std::uint16_t sent_to_port = 0;
  IpAddress answered_by;
  std::uint16_t answered_by_port = 0;
  std::uint32_t status = 0;
  std::uint16_t zone = 0;
  Bytes original;  // the attribute by which the kernel finds it again
};

std::uint16_t port_of(const nlattr* attribute) { return ntohs(mnl_attr_get_u16(attribute)); }

// The destination of a direction's datagrams, or their source.
void read_tuple(const nlattr* tuple, IpFamily family, bool source, IpAddress& address, std::uint16_t& port,
                std::uint8_t& protocol) {
  const bool v4 = family == IpFamily::kV4;
  const int wanted_address = v4 ? (source ? CTA_IP_V4_SRC : CTA_IP_V4_DST) : (source ? CTA_IP_V6_SRC : CTA_IP_V6_DST);
  const int wanted_port = source ? CTA_PROTO_SRC_PORT : CTA_PROTO_DST_PORT;
  for_each_nested(tuple, [&](std::uint16_t part, const nlattr* nest) {
    for_each_nested(nest, [&](std::uint16_t type, const nlattr* attribute) {
      if (part == CTA_TUPLE_IP && type == wanted_address) address = address_of(attribute, family);
      if (part == CTA_TUPLE_PROTO && type == wanted_port) port = port_of(attribute);
      if (part == CTA_TUPLE_PROTO && type == CTA_PROTO_NUM) protocol = mnl_attr_get_u8(attribute);
    });
  });
}

Flow flow_of(const nlmsghdr* message, IpFamily family) {
  Flow flow;
  for_each_attribute(message, sizeof(nfgenmsg), [&](std::uint16_t type, const nlattr* attribute) {
    if (type == CTA_TUPLE_ORIG) {
      read_tuple(attribute, family, false, flow.sent_to, flow.sent_to_port, flow.protocol);
      const auto* const payload = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
      flow.original.assign(payload, payload + mnl_attr_get_payload_len(attribute));
    }
    if (type == CTA_TUPLE_REPLY) {
      read_tuple(attribute, family, true, flow.answered_by, flow.answered_by_port, flow.protocol);
    }
    if (type == CTA_STATUS) flow.status = ntohl(mnl_attr_get_u32(attribute));
    if (type == CTA_ZONE) flow.zone = ntohs(mnl_attr_get_u16(attribute));
  });
  return flow;
}

bool leads_to(const Flow& flow, const PortRule& rule) {
  return (flow.status & IPS_DST_NAT) != 0 && flow.answered_by == rule.target &&
         flow.answered_by_port == rule.port.container.number;
}

// An untranslated flow loses nothing by being forgotten, so that it need not be looked whose address it is sent to.
bool would_be_caught(const Flow& flow, const PortRule& rule) {
  return (flow.status & (IPS_SRC_NAT | IPS_DST_NAT)) == 0 && flow.sent_to_port == rule.port.host_port &&
         flow.sent_to.family == rule.port.host_address.family &&
         (rule.port.host_address.is_unspecified() || rule.port.host_address == flow.sent_to);
}

void forget(NetlinkSocket& socket, int family, const Flow& flow) {
  NetlinkMessage message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0);
  put_family(message, family);
  message.put(CTA_TUPLE_ORIG | NLA_F_NESTED, flow.original);
  if (flow.zone != 0) mnl_attr_put_u16(message.get(), CTA_ZONE, htons(flow.zone));
  const int error = socket.request(message.get());
  if (error != 0 && error != ENOENT) throw system_error(error, "forget a flow");
}

bool is_udp(const PortRule& rule) { return rule.port.container.protocol == PortProtocol::kUdp; }

}  // namespace

void change_port_elements(const std::string& table, const std::vector<PortRule>& remove,
                          const std::vector<PortRule>& add) {
  std::vector<NetlinkMessage> batch;
  batch.push_back(batch_mark(NFNL_MSG_BATCH_BEGIN));
  put_elements(batch, table, remove, false);
  put_elements(batch, table, add, true);
  batch.push_back(batch_mark(NFNL_MSG_BATCH_END));
  const int error = NetlinkSocket(NETLINK_NETFILTER).request_all(batch);
  if (error != 0) throw system_error(error, "change the ports of table " + table);
}

void forget_flows(const std::vector<PortRule>& closed, const std::vector<PortRule>& opened) {
  if (std::ranges::none_of(closed, is_udp) && std::ranges::none_of(opened, is_udp)) return;
  NetlinkSocket socket(NETLINK_NETFILTER);
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    const int number = family == IpFamily::kV4 ? AF_INET : AF_INET6;
    std::vector<Flow> stale;
    NetlinkMessage question(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, 0);
    put_family(question, number);
    socket.dump(question.get(), [&](const nlmsghdr* message) {
      Flow flow = flow_of(message, family);
      if (flow.protocol != IPPROTO_UDP) return;
      const bool caught =
          std::ranges::any_of(closed, [&](const PortRule& rule) { return is_udp(rule) && leads_to(flow, rule); }) ||
          std::ranges::any_of(opened,
                              [&](const PortRule& rule) { return is_udp(rule) && would_be_caught(flow, rule); });
      if (caught) stale.push_back(std::move(flow));
    });
    for (const Flow& flow : stale) forget(socket, number, flow);
  }
}

}  // namespace quoll::mgr
