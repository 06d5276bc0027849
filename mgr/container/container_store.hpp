// The records of all containers, on disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mgr/container/container_config.hpp"
#include "mgr/container/container_state.hpp"
#include "mgr/store/database.hpp"

namespace quoll::mgr {

// Everything of a container that outlives the daemon.
struct ContainerRecord {
  std::string id;          // required, fixed
  std::string name;        // required, mutable; without slash
  int64_t created_ns = 0;  // fixed
  std::string image_id;    // required, fixed: the digest, while config.image is what the client wrote
  ContainerConfig config;  // resolved with the image; mutable by update
  ContainerState state;    // mutable

  bool operator==(const ContainerRecord&) const = default;
};

// Lifetime: `database` outlives it.
// Thread:   any. Every method blocks for the disk.
// Errors:   as Database. Each method is one transaction: when it throws, nothing has changed.
class ContainerStore {
 public:
  explicit ContainerStore(Database& database) : database_(database) {}

  // Adds a record.
  //
  // Errors: kConflict if the id or the name is taken.
  void save(const ContainerRecord& record);

  // Replaces all of a record but its id, creation time and image.
  //
  // Errors: kNotFound "No such container: ID"; kConflict if the name is another's.
  void update(const ContainerRecord& record);

  // Replaces the state alone: the common change.
  //
  // Errors: kNotFound.
  void update_state(const std::string& id, const ContainerState& state);

  // Removes a record; one that is not there is no error, so that a removal can be taken up again after a crash.
  void remove(const std::string& id);

  // All records, oldest first.
  //
  // Errors: kFailedPrecondition naming the container whose record cannot be read.
  std::vector<ContainerRecord> load_all();

 private:
  Database& database_;
};

}  // namespace quoll::mgr
