// EarlyUnpacker: unpacks the layers of an archive on threads beside the one that still reads it.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "mgr/image/archive_spool.hpp"
#include "mgr/image/growing_file.hpp"
#include "mgr/image/layer_unpacker.hpp"

namespace quoll::mgr {

struct EarlyLayer {
  std::filesystem::path directory;  // as unpack_blob() made it
  LayerContent content;
};

// An archive says last what its files are, so whatever looks like a layer is unpacked, a large one while it still
// grows. One that cannot be is forgotten: whether it matters, and what is wrong with it, shows when the manifest asks
// for it.
//
// Lifetime: one load. The directories belong to `work`, whose owner drops those that nobody takes.
// Thread:   one caller; as many threads inside as there are processors, at most kThreadsMax, which end with finish() or
//           the object.
// Cancel:   `stop` and the destructor end what is on its way at its next piece.
class EarlyUnpacker {
 public:
  static constexpr unsigned kThreadsMax = 4;

  EarlyUnpacker(std::filesystem::path work, std::stop_token stop) : work_(std::move(work)), caller_(std::move(stop)) {}
  EarlyUnpacker(const EarlyUnpacker&) = delete;
  EarlyUnpacker& operator=(const EarlyUnpacker&) = delete;
  ~EarlyUnpacker();

  // So much of a file can be read; more will follow, before any other file.
  void grow(const std::filesystem::path& path, std::int64_t written);
  // A file that is complete, whether it has grown before or not.
  void add(const SpooledFile& file);
  // The file that has grown is not wanted.
  void drop();

  // Waits for all that were added; what came of them, by the digest of the blob.
  std::map<std::string, EarlyLayer> finish();

 private:
  void start(std::shared_ptr<GrowingFile> file);
  void work_off();
  void unpack(GrowingFile& file, const std::filesystem::path& directory);

  const std::filesystem::path work_;
  const std::stop_token caller_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::shared_ptr<GrowingFile>> waiting_;  // guarded by mutex_
  bool complete_ = false;                             // guarded by mutex_
  std::size_t count_ = 0;                             // guarded by mutex_
  std::map<std::string, EarlyLayer> done_;            // guarded by mutex_
  std::shared_ptr<GrowingFile> growing_;              // the caller's
  std::vector<std::jthread> threads_;                 // the caller's
};

}  // namespace quoll::mgr
