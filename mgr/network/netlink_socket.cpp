#include "mgr/network/netlink_socket.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kAnswerBytesMax = 32 * 1024;
constexpr std::size_t kSendBytesUsual = 100 * 1024;  // what a socket takes at once without being told to

int error_of(const nlmsghdr* message) { return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error; }

}  // namespace

std::size_t put_bytes(const IpAddress& address, std::span<std::uint8_t, 16> bytes) {
  const auto count = static_cast<std::size_t>(address_bits(address.family) / 8);
  IpNumber rest = address.number;
  for (std::size_t byte = count; byte-- > 0; rest >>= 8) bytes[byte] = static_cast<std::uint8_t>(rest);
  return count;
}

void NetlinkMessage::put(std::uint16_t type, const IpAddress& address) {
  std::array<std::uint8_t, 16> bytes{};
  const std::size_t count = put_bytes(address, bytes);
  put(type, std::span<const std::uint8_t>(bytes.data(), count));
}

IpAddress address_of(const nlattr* attribute, IpFamily family) {
  const auto* const bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
  IpAddress address{family, 0};
  for (int byte = 0; byte < address_bits(family) / 8; ++byte) address.number = address.number << 8 | bytes[byte];
  return address;
}

NetlinkSocket::NetlinkSocket(int protocol) : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)) {
  if (!socket_) throw system_error(errno, "netlink socket");
}

int NetlinkSocket::send(const void* bytes, std::size_t size) {
  if (size > kSendBytesUsual) {
    const int wanted = static_cast<int>(size);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted);
  }
  return ::send(socket_.get(), bytes, size, 0) < 0 ? errno : 0;
}

int NetlinkSocket::receive(std::uint32_t first_sequence, const std::function<bool(const nlmsghdr*)>& on_message) {
  alignas(nlmsghdr) std::array<char, kAnswerBytesMax> answer;
  while (true) {
    const ssize_t bytes = ::recv(socket_.get(), answer.data(), answer.size(), 0);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return errno;
    int left = static_cast<int>(bytes);
    for (const auto* part = reinterpret_cast<const nlmsghdr*>(answer.data()); mnl_nlmsg_ok(part, left);
         part = mnl_nlmsg_next(part, &left)) {
      if (part->nlmsg_seq < first_sequence || part->nlmsg_seq > sequence_) continue;
      if (!on_message(part)) return 0;
    }
  }
}

int NetlinkSocket::request(nlmsghdr* message, const OnMessage& on_message) {
  message->nlmsg_flags |= NLM_F_ACK;
  message->nlmsg_seq = ++sequence_;
  if (const int error = send(message, message->nlmsg_len); error != 0) return error;
  int result = 0;
  const int error = receive(sequence_, [&](const nlmsghdr* part) {
    if (part->nlmsg_type != NLMSG_ERROR) {
      if (on_message) on_message(part);
      return true;
    }
    result = error_of(part);
    return false;
  });
  return error != 0 ? error : result;
}

void NetlinkSocket::dump(nlmsghdr* message, const OnMessage& on_message) {
  message->nlmsg_flags |= NLM_F_DUMP;
  message->nlmsg_seq = ++sequence_;
  int error = send(message, message->nlmsg_len);
  int result = 0;
  if (error == 0) {
    error = receive(sequence_, [&](const nlmsghdr* part) {
      if (part->nlmsg_type == NLMSG_DONE) return false;
      if (part->nlmsg_type == NLMSG_ERROR) {
        result = error_of(part);
        return false;
      }
      on_message(part);
      return true;
    });
  }
  if (error == 0) error = result;
  if (error != 0) throw system_error(error, "netlink dump");
}

int NetlinkSocket::request_all(std::span<NetlinkMessage> messages) {
  std::vector<char> bytes;
  const std::uint32_t first = sequence_ + 1;
  std::size_t awaited = 0;
  for (NetlinkMessage& message : messages) {
    nlmsghdr* const header = message.get();
    header->nlmsg_seq = ++sequence_;
    if ((header->nlmsg_flags & NLM_F_ACK) != 0) ++awaited;
    const auto* const begin = reinterpret_cast<const char*>(header);
    bytes.insert(bytes.end(), begin, begin + header->nlmsg_len);
    bytes.resize(MNL_ALIGN(bytes.size()));
  }
  if (const int error = send(bytes.data(), bytes.size()); error != 0 || awaited == 0) return error;
  int result = 0;
  const int error = receive(first, [&](const nlmsghdr* part) {
    if (part->nlmsg_type != NLMSG_ERROR) return true;
    result = error_of(part);
    return result == 0 && --awaited > 0;
  });
  return error != 0 ? error : result;
}

}  // namespace quoll::mgr
