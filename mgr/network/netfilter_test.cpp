// Against the kernel, in a network namespace of the test's own, and held against what nft makes of the same ports.
#include "mgr/network/netfilter.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstdio>
#include <thread>

#include "mgr/network/netlink.hpp"
#include "task/error.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {
namespace {

PortRule rule(PortProtocol protocol, const char* host, std::uint16_t number, const char* target, std::uint16_t inside) {
  return {{{inside, protocol}, *parse_ip_address(host), number}, *parse_ip_address(target)};
}

// Runs `action` in a namespace where only the loopback is; false where this process may not make one.
bool run_in_new_namespace(const std::function<void()>& action) {
  bool made = false;
  std::thread([&] {
    made = ::unshare(CLONE_NEWNET) == 0;
    if (!made) return;
    Netlink netlink;
    netlink.set_up(netlink.find_link("lo")->index);
    action();
  }).join();
  return made;
}

void nft(const std::string& text) {
  std::FILE* const program = ::popen("nft -f -", "w");
  ASSERT_NE(program, nullptr);
  std::fwrite(text.data(), 1, text.size(), program);
  ASSERT_EQ(::pclose(program), 0) << text;
}

std::string listed(const std::string& table) {
  std::FILE* const program = ::popen(("nft list table inet " + table + " | grep -v '^table'").c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer;
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), program)) text.append(buffer.data(), got);
  EXPECT_EQ(::pclose(program), 0);
  return text;
}

TEST(netfilter, elements_are_those_that_nft_makes) {
  const auto tcp = PortProtocol::kTcp;
  const std::vector<PortRule> ports{
      rule(tcp, "0.0.0.0", 8080, "10.0.0.2", 80), rule(PortProtocol::kUdp, "0.0.0.0", 53, "10.0.0.3", 5353),
      rule(tcp, "127.0.0.1", 9000, "10.0.0.3", 80), rule(PortProtocol::kSctp, "::", 8080, "fd00::2", 65535),
      rule(tcp, "fd00::1", 1, "fd00::2", 80)};
  const bool made = run_in_new_namespace([&] {
    nft(table_text("wanted", {}, ports, 0) + table_text("found", {}, {}, 0));
    const std::string empty = listed("found");
    EXPECT_NE(listed("wanted"), empty);
    change_port_elements("found", {}, ports);
    EXPECT_EQ(listed("found"), listed("wanted"));
    change_port_elements("found", ports, {});
    EXPECT_EQ(listed("found"), empty);
  });
  ASSERT_TRUE(made) << "a network namespace of its own needs root";
}

TEST(netfilter, thousands_change_at_once_and_a_wrong_one_changes_nothing) {
  std::vector<PortRule> ports;
  for (int number = 1; number <= 3000; ++number) {
    ports.push_back(rule(PortProtocol::kTcp, "fd00::1", static_cast<std::uint16_t>(number), "fd00::2", 80));
  }
  const bool made = run_in_new_namespace([&] {
    nft(table_text("wanted", {}, ports, 0) + table_text("found", {}, {}, 0));
    change_port_elements("found", {}, ports);
    const std::string all = listed("found");
    EXPECT_EQ(all, listed("wanted"));
    std::vector<PortRule> wrong = ports;
    wrong.push_back(rule(PortProtocol::kTcp, "fd00::1", 5000, "fd00::2", 80));
    EXPECT_THROW(change_port_elements("found", wrong, {}), Error);
    EXPECT_THROW(change_port_elements("absent", {}, ports), Error);
    EXPECT_EQ(listed("found"), all);
  });
  ASSERT_TRUE(made) << "a network namespace of its own needs root";
}

sockaddr_in local(std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return name;
}

UniqueFd datagrams_of(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in name = local(port);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  return fd;
}

// A datagram over the loopback is there when it has been sent.
bool got_one(const UniqueFd& fd) {
  char byte = 0;
  return ::recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 1;
}

TEST(netfilter, a_flow_of_datagrams_follows_its_port) {
  const PortRule published = rule(PortProtocol::kUdp, "0.0.0.0", 5000, "127.0.0.1", 6000);
  const bool made = run_in_new_namespace([&] {
    nft(table_text("t", {}, {}, 0));
    const UniqueFd host = datagrams_of(5000);
    const UniqueFd container = datagrams_of(6000);
    const UniqueFd client = datagrams_of(7000);
    const auto send_one = [&client] {
      const sockaddr_in name = local(5000);
      ASSERT_EQ(::sendto(client.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&name), sizeof name), 1);
    };
    send_one();
    EXPECT_TRUE(got_one(host));
    change_port_elements("t", {}, {published});
    send_one();
    EXPECT_TRUE(got_one(host)) << "what forget_flows() is for";
    forget_flows({}, {published});
    send_one();
    EXPECT_TRUE(got_one(container));
    change_port_elements("t", {published}, {});
    send_one();
    EXPECT_TRUE(got_one(container));
    forget_flows({published}, {});
    send_one();
    EXPECT_TRUE(got_one(host));
    EXPECT_FALSE(got_one(container));
  });
  ASSERT_TRUE(made) << "a network namespace of its own needs root";
}

}  // namespace
}  // namespace quoll::mgr
