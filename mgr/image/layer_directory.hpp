// A layer unpacked: a directory with the layer's tree (`diff`) and the facts of it (layer.json).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "mgr/image/decompressor.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "mgr/image/store_layout.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {

// Makes `directory` and the empty tree in it; returns the tree. Errors: what the file system says.
UniqueFd make_layer_directory(const std::filesystem::path& directory);

void write_layer_facts(const std::filesystem::path& directory, const std::string& diff_id, std::int64_t size);

// The bytes of the regular files of a layer that the store has unpacked. Nothing when it has none: a removal may take
// it away at any time, so asking and reading are one step. Errors: kInternal where its facts are damaged.
std::optional<std::int64_t> stored_layer_size(const StoreLayout& layout, std::string_view chain_id);

// Errors: kInvalidArgument where they differ, with the words for whoever brought the layer.
void check_diff_id(const std::string& expected, const std::string& actual);

// Unpacks a blob into a layer directory that it makes; facts are not written. A plain tar is not digested again: its
// diff id is `blob_digest`, which the caller has verified.
//
// Cancel, errors: as of unpack_layer(); what was made stays, and is the caller's to drop.
LayerContent unpack_blob(const std::filesystem::path& blob, const std::string& blob_digest,
                         const std::filesystem::path& directory, std::stop_token stop,
                         std::int64_t plain_bytes_max = 0);

// The same for bytes from anywhere, whose compression is known. The diff id of a plain tar is left empty.
LayerContent unpack_stream(Compression compression, ByteSource blob, const std::filesystem::path& directory,
                           std::stop_token stop, std::int64_t plain_bytes_max = 0);

// What a file begins as. Errors: what the file system says.
Compression compression_of(const std::filesystem::path& file);

// Whether a file begins as layers do: compressed, or as a tar.
bool looks_like_layer(const std::filesystem::path& file);

}  // namespace quoll::mgr
