#include "mgr/registry/registry_hosts.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "http/tls.hpp"
#include "mgr/image/archive_fixture.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

// "https://mirror.test/ mirror", "http://r.test/ insecure": the ways to a registry, in their order.
std::vector<std::string> ways(const RegistryHosts& hosts, std::string_view domain, bool with_mirrors = true) {
  std::vector<std::string> texts;
  for (const RegistryEndpoint& endpoint : hosts.endpoints(domain, with_mirrors)) {
    texts.push_back(endpoint.base.text() + (endpoint.mirror ? " mirror" : "") + (endpoint.insecure ? " insecure" : ""));
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(registry_hosts, a_registry_is_reached_by_https_alone) {
  EXPECT_EQ(ways(RegistryHosts({}), "r.test:5000"), Texts{"https://r.test:5000/"});
  EXPECT_EQ(ways(RegistryHosts({}), "docker.io"), Texts{"https://registry-1.docker.io/"});
}

TEST(registry_hosts, loopback_is_trusted) {
  for (const char* name : {"localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"}) {
    EXPECT_TRUE(RegistryHosts({}).is_insecure(name)) << name;
  }
  EXPECT_EQ(ways(RegistryHosts({}), "localhost:5000"),
            (Texts{"https://localhost:5000/ insecure", "http://localhost:5000/ insecure"}));
}

TEST(registry_hosts, insecure_ones_are_named_or_lie_in_a_network) {
  const RegistryHosts hosts({.insecure_registries = {"r.test:5000", "10.1.0.0/16", "fd00::/8"}});
  for (const char* name : {"r.test:5000", "10.1.255.255:443", "[fd12::1]:5000"})
    EXPECT_TRUE(hosts.is_insecure(name)) << name;
  for (const char* name : {"r.test", "r.test:5001", "10.2.0.1", "[fe80::1]", "sub.r.test:5000", "", "x y"}) {
    EXPECT_FALSE(hosts.is_insecure(name)) << name;
  }
}

TEST(registry_hosts, mirrors_come_before_the_hub_and_for_nobody_else) {
  const RegistryHosts hosts(
      {.insecure_registries = {"two.test"}, .mirrors = {"https://one.test/prefix", "http://two.test"}});
  EXPECT_EQ(ways(hosts, "docker.io"), (Texts{"https://one.test/prefix/ mirror", "http://two.test/ mirror insecure",
                                             "https://registry-1.docker.io/"}));
  EXPECT_EQ(ways(hosts, "docker.io", false), Texts{"https://registry-1.docker.io/"});
  EXPECT_EQ(ways(hosts, "r.test"), Texts{"https://r.test/"});
}

TEST(registry_hosts, options_that_are_wrong_are_refused_by_name) {
  const auto refusal = [](RegistryOptions options) -> std::string {
    try {
      RegistryHosts hosts(std::move(options));
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
      return error.message();
    }
    return "none";
  };
  EXPECT_EQ(refusal({.insecure_registries = {"http://r.test"}}),
            "insecure registry http://r.test should not contain '://'");
  for (const char* network : {"10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "r.test/8", "fd00::/129", "10.0.0.0/8x"}) {
    EXPECT_EQ(refusal({.insecure_registries = {network}}),
              std::string("insecure registry ") + network + " is not a valid network");
  }
  EXPECT_EQ(refusal({.mirrors = {"mirror.test"}}), "invalid registry address \"mirror.test\"");
}

TEST(registry_hosts, certificates_are_read_again_when_their_files_change) {
  const fixture::TestDirectory directory;
  RegistryHosts hosts({.certs_dir = directory.path()});
  const auto first = hosts.tls_context("r.test:5000", false);
  EXPECT_EQ(hosts.tls_context("r.test:5000", false), first);
  EXPECT_NE(hosts.tls_context("r.test:5000", true), first);
  std::filesystem::create_directory(directory.path() / "r.test:5000");
  std::ofstream(directory.path() / "r.test:5000/ca.crt") << "no certificate";
  EXPECT_THROW(hosts.tls_context("r.test:5000", false), Error);
  std::filesystem::remove(directory.path() / "r.test:5000/ca.crt");
  EXPECT_NE(hosts.tls_context("r.test:5000", false), nullptr);
}

TEST(registry_hosts, no_name_leads_out_of_the_directory_of_certificates) {
  const fixture::TestDirectory directory;
  std::filesystem::create_directory(directory.path() / "certs.d");
  std::ofstream(directory.path() / "ca.crt") << "no certificate";
  RegistryHosts hosts({.certs_dir = directory.path() / "certs.d"});
  for (const char* name : {"..", ".", "../", "a/../.."}) EXPECT_NE(hosts.tls_context(name, false), nullptr) << name;
}

}  // namespace
}  // namespace quoll::mgr
