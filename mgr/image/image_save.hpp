// Images as one tar: what `docker save` writes.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "mgr/image/tar_writer.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

class ImageStore;

// An OCI layout with a docker-archive's manifest.json and repositories beside it, as dockerd writes it since version
// 25: blobs are in it byte for byte as they lie in the store, each once.
//
// Its files are opened at once: whatever is removed meanwhile, the archive is whole.
//
// Format:   https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md, and
//           https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md
// Thread:   one at a time; blocks on the disk. Cancel: kCancelled.
// Limits:   a descriptor for each blob.
class ImageArchive {
 public:
  // `names` are references or ids; a repository without a tag means all its tags. Errors: kNotFound.
  ImageArchive(const ImageStore& store, const std::vector<std::string>& names);

  // Fills `chunk` with about `size` bytes; empty at the end.
  void read(std::string& chunk, std::size_t size, const std::stop_token& stop);

 private:
  struct Part {
    TarEntry entry;
    UniqueFd file;     // of a blob
    std::string text;  // of all else
  };

  void add_directory(std::string name);
  void add_text(std::string name, std::string text);
  void add_blob(const ImageStore& store, const std::string& digest);
  void begin_part();
  void read_file();

  std::vector<Part> parts_;
  std::size_t next_ = 0;
  const Part* current_ = nullptr;  // whose file is being read
  std::int64_t left_ = 0;
  bool ended_ = false;
  TarWriter tar_;
  std::vector<char> buffer_;
};

}  // namespace quoll::mgr
