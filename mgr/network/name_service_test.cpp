#include "mgr/network/name_service.hpp"

#include <gtest/gtest.h>

namespace quoll::mgr {
namespace {

TEST(name_service, a_network_is_a_file_of_its_gateways_and_a_line_for_each_container) {
  NetworkNames names{.listen = {*parse_ip_address("10.0.0.1"), *parse_ip_address("fd00::1")}};
  names.containers.push_back({.id = "abc",
                              .addresses = {*parse_ip_address("10.0.0.2"), *parse_ip_address("fd00::2")},
                              .names = {"web", "www"},
                              .servers = {*parse_ip_address("9.9.9.9")}});
  names.containers.push_back({.id = "def", .addresses = {*parse_ip_address("10.0.0.3")}, .names = {"db"}});
  EXPECT_EQ(names_text(names), "10.0.0.1,fd00::1\nabc 10.0.0.2 fd00::2 web,www 9.9.9.9\ndef 10.0.0.3  db\n");
}

TEST(name_service, in_an_internal_network_nobody_is_asked) {
  NetworkNames names{.listen = {*parse_ip_address("10.0.0.1")}, .internal = true};
  names.containers.push_back({.id = "abc",
                              .addresses = {*parse_ip_address("10.0.0.2")},
                              .names = {"web"},
                              .servers = {*parse_ip_address("9.9.9.9")}});
  EXPECT_EQ(names_text(names), "10.0.0.1\nabc 10.0.0.2  web 255.255.255.255\n");
}

}  // namespace
}  // namespace quoll::mgr
