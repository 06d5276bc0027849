#include "mgr/network/host_facts.hpp"

#include <linux/capability.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "mgr/container/spec_host_facts.hpp"

namespace quoll::mgr {
namespace {

std::string find_in(std::initializer_list<const char*> directories, const std::string& name) {
  for (const char* directory : directories) {
    if (::access((directory + name).c_str(), X_OK) == 0) return directory + name;
  }
  return "";
}

}  // namespace

std::vector<std::string> bridge_shortcomings() {
  std::vector<std::string> missing;
  std::ifstream file("/proc/self/status");
  const std::string status((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if ((status_field(status, "CapEff") & std::uint64_t{1} << CAP_NET_ADMIN) == 0) {
    missing.emplace_back("the daemon may not change networks (no CAP_NET_ADMIN)");
  }
  if (find_in({"/usr/local/sbin/", "/usr/sbin/", "/sbin/", "/usr/bin/"}, "nft").empty()) {
    missing.emplace_back("nft is not installed");
  }
  if (::access("/proc/sys/net/ipv4/ip_forward", W_OK) != 0) missing.emplace_back("/proc/sys/net is read-only");
  return missing;
}

std::string find_aardvark() {
  return find_in({"/usr/libexec/podman/", "/usr/lib/podman/", "/usr/local/libexec/podman/", "/usr/sbin/", "/usr/bin/"},
                 "aardvark-dns");
}

}  // namespace quoll::mgr
