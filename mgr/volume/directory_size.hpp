// How much a directory tree holds.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

namespace quoll::mgr {

// Bytes of all files below `path`, those of several names once, directories themselves not. What vanishes or cannot be
// read meanwhile counts as nothing, as does a `path` that is not there. No symbolic link is followed.
//
// Thread: any; blocks on the disk.
// Cancel: kCancelled.
std::int64_t directory_size(const std::string& path, const std::stop_token& stop);

}  // namespace quoll::mgr
