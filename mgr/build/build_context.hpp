// The files that a client sends along with a build.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>

#include "mgr/image/durable_file.hpp"
#include "mgr/image/image_store.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

// A directory of its own, as untrusted as what was sent: nothing in it is looked up but by calls that stay below it.
//
// Lifetime: of one build; the files go with it. A daemon that is killed leaves them to the next one's store, which
//           empties that place.
// Thread:   one at a time. Every method blocks on the disk.
class BuildContext {
 public:
  explicit BuildContext(const ImageStore& store);

  // Unpacks a tar (plain, gzip, bzip2, xz or zstd), to its end. All becomes root's.
  //
  // Cancel: kCancelled. Errors: kInvalidArgument for what is no tar, or an entry that leads out; kResourceExhausted
  //         beyond `plain_bytes_max` of the uncompressed stream, and on a full disk.
  void unpack(const ByteSource& body, std::int64_t plain_bytes_max, const std::stop_token& stop);
  // Takes a file of a build without any other files: a tar, or else a Dockerfile.
  void take_file(const std::filesystem::path& file, std::int64_t plain_bytes_max, const std::stop_token& stop);

  // The text of the Dockerfile, after which what .dockerignore names is no longer there.
  // Errors: kInvalidArgument in Docker's words.
  std::string take_dockerfile(const std::string& name, const std::stop_token& stop);

  int fd() const { return top_.get(); }
  // Outside of what was sent, for files that a build fetches.
  const std::filesystem::path& work() const { return work_.path(); }

 private:
  TemporaryDirectory work_;
  UniqueFd top_;
  std::string dockerfile_;  // where the client has sent nothing but this
};

}  // namespace quoll::mgr
