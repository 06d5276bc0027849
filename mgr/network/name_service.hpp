// Names between the containers of a user-defined network, and to the outside: aardvark-dns, which outlives the daemon
// as containers do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mgr/network/ip_address.hpp"
#include "task/mutex.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

struct NamedContainer {
  std::string id;
  std::vector<IpAddress> addresses;
  std::vector<std::string> names;
  std::vector<IpAddress> servers;  // HostConfig.Dns; empty: the host's own
};

// What the name server knows of one network.
struct NetworkNames {
  std::vector<IpAddress> listen;  // the network's gateways
  bool internal = false;          // no names of the outside
  std::vector<NamedContainer> containers;
};

// The program reads one file a network from its directory, at its start and on SIGHUP, and ends by itself when there is
// none left.
//
// Thread: any; changes follow one another.
class NameService {
 public:
  // `directory` is this installation's alone; on a file system that a reboot clears.
  NameService(std::string program, std::string directory);

  bool available() const { return !program_.empty(); }
  // Where it listens on every gateway. Not 53: the host's own name server, or a published port, may have that on every
  // address. 0 until it was started once.
  int port() const { return port_; }
  // Chooses the port, in the first network's life. Blocks for an instant.
  void choose_port();

  // Replaces what is known of a network; nothing forgets it.
  task::Task<void> update(std::string network_id, std::optional<NetworkNames> names);
  // Forgets all networks but these, of which an earlier daemon may have left files.
  task::Task<void> keep_only(std::vector<std::string> network_ids);

 private:
  task::Task<void> tell();
  bool signal_server() const;

  const std::string program_;
  const std::string directory_;
  const std::string names_directory_;
  int port_ = 0;
  task::Mutex mutex_;
};

// The file of one network, in the program's own format.
std::string names_text(const NetworkNames& names);

}  // namespace quoll::mgr
