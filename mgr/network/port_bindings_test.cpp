#include "mgr/network/port_bindings.hpp"

#include <gtest/gtest.h>

#include <array>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::array kV4Only{IpFamily::kV4};

// On an address that nobody else on the machine is likely to use.
PortBinding binding(std::uint16_t first, std::uint16_t last = 0) {
  return {.container = {80, PortProtocol::kTcp}, .host_ip = "127.83.1.1", .first = first, .last = last ? last : first};
}

std::string error_of(HostPorts& ports, const std::vector<PortBinding>& bindings) {
  try {
    ports.take(bindings, kV4Only, "");
  } catch (const Error& error) {
    return error.message();
  }
  return "taken";
}

TEST(host_ports, a_port_is_one_containers_until_it_is_released) {
  HostPorts ports;
  const auto first = ports.take({binding(18080)}, kV4Only, "");
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(error_of(ports, {binding(18080)}), "Bind for 127.83.1.1:18080 failed: port is already allocated");
  ports.release(first);
  EXPECT_EQ(error_of(ports, {binding(18080)}), "taken");
}

TEST(host_ports, a_call_that_fails_keeps_none_of_its_ports) {
  HostPorts ports;
  const auto held = ports.take({binding(18082)}, kV4Only, "");
  EXPECT_NE(error_of(ports, {binding(18081), binding(18082)}), "taken");
  EXPECT_EQ(ports.taken(), 1u);
  EXPECT_EQ(error_of(ports, {binding(18081)}), "taken");
}

TEST(host_ports, a_port_that_a_program_of_the_host_has_is_not_to_be_had) {
  HostPorts other_program;
  other_program.take({binding(18083)}, kV4Only, "");
  HostPorts ports;
  EXPECT_EQ(error_of(ports, {binding(18083)}),
            "failed to bind host port for 127.83.1.1:18083/tcp: address already in use");
}

TEST(host_ports, of_a_range_the_first_free_one_is_taken_and_of_no_number_an_ephemeral_one) {
  HostPorts ports;
  EXPECT_EQ(ports.take({binding(18084, 18086)}, kV4Only, "")[0].host_port, 18084);
  EXPECT_EQ(ports.take({binding(18084, 18086)}, kV4Only, "")[0].host_port, 18085);
  PortBinding open = binding(0);
  const auto one = ports.take({open}, kV4Only, "")[0].host_port;
  const auto two = ports.take({open}, kV4Only, "")[0].host_port;
  EXPECT_GE(one, 1024);
  EXPECT_NE(one, two);
}

TEST(host_ports, an_address_that_the_container_has_no_family_for_is_left_out) {
  HostPorts ports;
  PortBinding six = binding(18087);
  six.host_ip = "::1";
  EXPECT_TRUE(ports.take({six}, kV4Only, "").empty());
}

}  // namespace
}  // namespace quoll::mgr
