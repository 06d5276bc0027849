// What a container has changed: its overlay's upper directory held against the layers below.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace quoll::mgr {

// Docker's numbers.
enum class ChangeKind { kModified = 0, kAdded = 1, kDeleted = 2 };

struct Change {
  std::string path;  // absolute in the container
  ChangeKind kind;
};

// In the order of the paths; a directory comes before what is in it, and is listed as modified where something in it
// changed. `layers` are the layers below, the topmost first.
//
// Thread: any; blocks on the disk. Cancel: kCancelled.
// Errors: kInvalidArgument for a tree deeper than TreeArchive::kDepthMax; others as system_error().
std::vector<Change> tree_changes(const std::string& upper, const std::vector<std::filesystem::path>& layers,
                                 const std::stop_token& stop);

}  // namespace quoll::mgr
