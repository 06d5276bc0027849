// Plain bytes of gzip, zstd and uncompressed streams.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "mgr/image/durable_file.hpp"

namespace quoll::mgr {

enum class Compression { kNone, kGzip, kZstd, kOther };

// What the first bytes of a stream say. Six bytes are enough.
Compression sniff_compression(std::span<const char> head);

// Gzip of several members and zstd of several frames are one stream; zeros behind the last are padding.
//
// Errors:   kInvalidArgument for a truncated or damaged stream; what the source throws.
class Decompressor {
 public:
  explicit Decompressor(ByteSource source);
  ~Decompressor();

  // Fills the front of `buffer`; 0 is the end.
  std::size_t read(std::span<char> buffer);

 private:
  struct Codec;
  struct Plain;
  struct Gzip;
  struct Zstd;

  // Compressed bytes that are not used yet; reads more where there are none. Empty at the source's end.
  std::span<const char> input();

  ByteSource source_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool at_end_ = false;
  std::unique_ptr<Codec> codec_;
};

}  // namespace quoll::mgr
