// Published ports: what a client may ask for, and who has which port of the host.
#pragma once

#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "mgr/network/endpoint.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

// One entry of HostConfig.PortBindings.
struct PortBinding {
  Port container;
  std::string host_ip;                // as written; empty: every address
  std::uint16_t first = 0, last = 0;  // of the host; 0: any that is free

  bool operator==(const PortBinding&) const = default;
};

// Reads {"80/tcp": [{"HostIp": "", "HostPort": "8000-8010"}]}.
//
// Errors: kInvalidArgument in Docker's words.
std::vector<PortBinding> parse_port_bindings(const nlohmann::json& bindings, const std::string& field);
nlohmann::json port_bindings_json(const std::vector<PortBinding>& bindings);

// The host's ports that containers have. Each is held by a socket of its own for as long as it is taken, so that no
// other program gets a port whose packets lead to a container.
//
// Thread: any. Errors: kInternal in Docker's words, with nothing of the call left taken.
class HostPorts {
 public:
  // Takes the ports that a container asks for; where it leaves the number open, a free one.
  //
  // `families`: those that the container has an address of. `default_address` is where no host address is named.
  std::vector<PublishedPort> take(const std::vector<PortBinding>& bindings, std::span<const IpFamily> families,
                                  const std::string& default_address);
  // Ports that a container has had since before this daemon. One that another program has got meanwhile still leads to
  // the container, and is complained of.
  void take_again(const std::vector<PublishedPort>& ports);
  void release(const std::vector<PublishedPort>& ports);

  std::size_t taken() const;

 private:
  struct HostPort {
    IpAddress address;
    std::uint16_t number = 0;
    PortProtocol protocol = PortProtocol::kTcp;
    auto operator<=>(const HostPort&) const = default;
  };
  PublishedPort take_one(const PortBinding& binding, const IpAddress& address);
  bool is_taken(const HostPort& port) const;

  mutable std::mutex mutex_;
  std::map<HostPort, UniqueFd> taken_;  // guarded by mutex_
  std::uint16_t next_ = 0;              // guarded by mutex_; where the search for a free one goes on
};

}  // namespace quoll::mgr
