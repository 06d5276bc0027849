#include "mgr/image/archive_spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "mgr/image/digest.hpp"
#include "mgr/image/layer_unpacker.hpp"
#include "mgr/image/rooted_path.hpp"
#include "mgr/image/tar_reader.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr int kLinksMax = 16;
constexpr std::size_t kHoleChunk = 64 * 1024;
constexpr std::int64_t kGrowthStep = 256 * 1024;

std::string archive_name(const std::string& path) {
  auto clean = clean_archive_path(path);
  if (!clean) throw Error(ErrorClass::kInvalidArgument, "archive entry \"" + path + "\" leads outside the archive");
  return std::move(*clean);
}

// Zeros for a hole, so that the digest sees what a reader of the file would.
void write_hole(int fd, Sha256& digest, std::int64_t length, const std::stop_token& stop, const std::string& name) {
  const std::string zeros(kHoleChunk, '\0');
  while (length > 0) {
    throw_if_stopped(stop);
    const std::span<const char> piece(zeros.data(),
                                      static_cast<std::size_t>(std::min<std::int64_t>(length, kHoleChunk)));
    write_all(fd, piece, name);
    digest.update(piece);
    length -= static_cast<std::int64_t>(piece.size());
  }
}

SpooledFile spool_file(TarReader& reader, std::filesystem::path path, const std::stop_token& stop,
                       const SpoolNotices& notices) {
  const std::string& name = reader.entry().path;
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  Sha256 digest;
  TarBlock block;
  std::int64_t end = 0;
  std::int64_t told = 0;
  while (reader.read_block(block)) {
    throw_if_stopped(stop);
    if (block.offset > end) write_hole(fd.get(), digest, block.offset - end, stop, name);
    const std::int64_t begin = std::exchange(end, block.offset + static_cast<std::int64_t>(block.bytes.size()));
    reserve_ahead(fd.get(), begin, end, reader.entry().size);
    write_all(fd.get(), block.bytes, name);
    digest.update(block.bytes);
    start_writeback(fd.get(), begin, end);
    if (notices.on_growth && end - told >= kGrowthStep) notices.on_growth(path, told = end, reader.entry().size);
  }
  if (reader.entry().size > end) write_hole(fd.get(), digest, reader.entry().size - end, stop, name);
  return {std::move(path), std::max(end, reader.entry().size), digest.finish_digest()};
}

}  // namespace

ArchiveSpool spool_archive(ByteSource source, const std::filesystem::path& directory, std::stop_token stop,
                           const SpoolNotices& notices) {
  ArchiveSpool spool;
  bool at_end = false;
  const ByteSource input = [&](std::span<char> buffer) -> std::size_t {
    throw_if_stopped(stop);
    const std::size_t got = at_end ? 0 : source(buffer);
    at_end = got == 0;
    return got;
  };
  TarReader reader(input, OuterCompression::kAny);
  std::size_t count = 0;
  while (reader.next()) {
    if (++count > ArchiveSpool::kEntriesMax) {
      throw Error(ErrorClass::kInvalidArgument, "invalid archive: more than 100000 entries");
    }
    const TarEntry& entry = reader.entry();
    const std::string name = archive_name(entry.path);
    switch (entry.type) {
      case TarEntryType::kFile: {
        SpooledFile file = spool_file(reader, directory / std::to_string(count), stop, notices);
        spool.links_.erase(name);
        if (const auto old = spool.files_.find(name); old != spool.files_.end()) ::unlink(old->second.path.c_str());
        if (notices.on_file) notices.on_file(file);
        spool.files_.insert_or_assign(name, std::move(file));
        break;
      }
      case TarEntryType::kHardLink:
        spool.links_[name] = archive_name(entry.link_target);
        break;
      case TarEntryType::kSymlink:
        // docker save before 25 wrote a layer once and linked it from each image's directory that shares it.
        spool.links_[name] = archive_name(split_path(name).parent + "/" + entry.link_target);
        break;
      default:
        break;
    }
  }
  // Padding may follow the end mark. A client that still sends it must find somebody who reads.
  std::vector<char> padding(kHoleChunk);
  while (input(padding) != 0) {
  }
  return spool;
}

const SpooledFile* ArchiveSpool::find(std::string_view name) const {
  auto clean = clean_archive_path(name);
  for (int links = 0; clean && links < kLinksMax; ++links) {
    if (const auto file = files_.find(*clean); file != files_.end()) return &file->second;
    const auto link = links_.find(*clean);
    if (link == links_.end()) return nullptr;
    clean = link->second;
  }
  return nullptr;
}

}  // namespace quoll::mgr
