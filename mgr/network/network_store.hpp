// The records of all networks, on disk.
#pragma once

#include <string>
#include <vector>

#include "mgr/network/network.hpp"
#include "mgr/store/database.hpp"

namespace quoll::mgr {

// Lifetime: `database` outlives it. Thread: any; blocks for the disk. Errors: as Database.
class NetworkStore {
 public:
  explicit NetworkStore(Database& database) : database_(database) {}

  // Adds or replaces.
  void save(const Network& network);
  void remove(const std::string& id);
  // Oldest first. Errors: kFailedPrecondition naming the network whose record cannot be read.
  std::vector<Network> load_all();

 private:
  Database& database_;
};

}  // namespace quoll::mgr
