// Netlink as such: requests that are put together, answers that are taken apart. For the files of network/ only.
#pragma once

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "mgr/network/ip_address.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

// In the order of the network. Returns how many of the bytes it has filled: 4 or 16.
std::size_t put_bytes(const IpAddress& address, std::span<std::uint8_t, 16> bytes);

// A request that is being put together. REQUIRES: all that is put into it fits into `bytes_max`.
class NetlinkMessage {
 public:
  static constexpr std::size_t kSmall = 4096;

  NetlinkMessage(int type, int flags, std::size_t bytes_max = kSmall)
      : buffer_(new char[bytes_max]()), header_(mnl_nlmsg_put_header(buffer_.get())) {
    header_->nlmsg_type = static_cast<std::uint16_t>(type);
    header_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  }
  template <typename T>
  T& extra() {
    return *static_cast<T*>(mnl_nlmsg_put_extra_header(header_, sizeof(T)));
  }
  void put(std::uint16_t type, std::uint32_t value) { mnl_attr_put_u32(header_, type, value); }
  void put_byte(std::uint16_t type, std::uint8_t value) { mnl_attr_put_u8(header_, type, value); }
  void put(std::uint16_t type, const std::string& value) { mnl_attr_put_strz(header_, type, value.c_str()); }
  void put(std::uint16_t type, std::span<const std::uint8_t> bytes) {
    mnl_attr_put(header_, type, bytes.size(), bytes.data());
  }
  void put(std::uint16_t type, const IpAddress& address);
  nlattr* begin(int type) { return mnl_attr_nest_start(header_, static_cast<std::uint16_t>(type)); }
  void end(nlattr* nest) { mnl_attr_nest_end(header_, nest); }
  nlmsghdr* get() { return header_; }

 private:
  std::unique_ptr<char[]> buffer_;
  nlmsghdr* header_;
};

IpAddress address_of(const nlattr* attribute, IpFamily family);

// libmnl's own loops are macros of C.
template <typename F>
void for_each_attribute_in(const void* begin, const void* end, F on_attribute) {
  const auto* attribute = static_cast<const nlattr*>(begin);
  while (mnl_attr_ok(attribute,
                     static_cast<int>(static_cast<const char*>(end) - reinterpret_cast<const char*>(attribute)))) {
    on_attribute(mnl_attr_get_type(attribute), attribute);
    attribute = mnl_attr_next(attribute);
  }
}

template <typename F>
void for_each_attribute(const nlmsghdr* message, std::size_t header_bytes, F on_attribute) {
  for_each_attribute_in(mnl_nlmsg_get_payload_offset(message, header_bytes), mnl_nlmsg_get_payload_tail(message),
                        on_attribute);
}

template <typename F>
void for_each_nested(const nlattr* nest, F on_attribute) {
  const auto* const begin = static_cast<const char*>(mnl_attr_get_payload(nest));
  for_each_attribute_in(begin, begin + mnl_attr_get_payload_len(nest), on_attribute);
}

// A socket of the network namespace that the thread was in when it was made.
//
// Thread: one at a time. Errors: as system_error() where the socket itself fails.
class NetlinkSocket {
 public:
  // NETLINK_ROUTE, NETLINK_NETFILTER
  explicit NetlinkSocket(int protocol);

  using OnMessage = std::function<void(const nlmsghdr*)>;
  // Sends it and waits for the acknowledgement; returns the kernel's errno, 0 for success.
  int request(nlmsghdr* message, const OnMessage& on_message = {});
  // Errors: the kernel's, as system_error().
  void dump(nlmsghdr* message, const OnMessage& on_message);
  // Sends several at once. Those that ask for an acknowledgement are waited for, up to the first that failed; returns
  // its errno, 0 for success.
  int request_all(std::span<NetlinkMessage> messages);

 private:
  int send(const void* bytes, std::size_t size);
  // Calls `on_message` for what is not an answer to something else, until it returns false. Returns the socket's errno.
  int receive(std::uint32_t first_sequence, const std::function<bool(const nlmsghdr*)>& on_message);

  UniqueFd socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace quoll::mgr
