// Turns one layer's tar into a directory that overlayfs can use as a lower layer.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "mgr/image/durable_file.hpp"

namespace quoll::mgr {

struct LayerContent {
  std::string diff_id;    // digest of the uncompressed stream, to its very end
  std::int64_t size = 0;  // bytes of all regular files
};

// Unpacks `source` (a tar; plain, gzip or zstd) into the empty directory `root_fd`, with owners, modes, times, extended
// attributes, links and device nodes. A whiteout becomes a character device 0/0, an opaque mark the extended attribute
// trusted.overlay.opaque. Overlay attributes of the archive itself are dropped: they could redirect a mount.
//
// The archive is not trusted: no entry lands outside `root_fd`, whatever names and links it brings.
//
// Thread:   any; blocks. Nobody else uses the directory meanwhile.
// Cancel:   kCancelled; what was unpacked remains, the caller drops the directory. The same after any error.
// Errors:   kInvalidArgument for a bad archive or entry, kResourceExhausted on a full disk.
// Limits:   `plain_bytes_max`, where it is not 0, of the uncompressed stream.
LayerContent unpack_layer(ByteSource source, int root_fd, std::stop_token stop, std::int64_t plain_bytes_max = 0);

// The same of a plain tar whose digest is known already. Returns the bytes of all regular files.
std::int64_t unpack_plain_layer(ByteSource source, int root_fd, std::stop_token stop);

// Digests a layer without unpacking it.
std::string layer_diff_id(ByteSource source, std::stop_token stop, std::int64_t plain_bytes_max = 0);

void throw_if_stopped(const std::stop_token& stop);

}  // namespace quoll::mgr
