// The records of all volumes, on disk.
#pragma once

#include <string>
#include <vector>

#include "mgr/store/database.hpp"
#include "mgr/volume/volume.hpp"

namespace quoll::mgr {

// Lifetime: `database` outlives it.
// Thread:   any. Every method blocks for the disk.
// Errors:   as Database.
class VolumeStore {
 public:
  explicit VolumeStore(Database& database) : database_(database) {}

  void save(const Volume& volume);
  void remove(const std::string& name);
  // Without what is derived: the mount point, and what the options say.
  std::vector<Volume> load_all();

 private:
  Database& database_;
};

}  // namespace quoll::mgr
