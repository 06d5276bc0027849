// The files of an image archive, written to disk while they stream past.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>

#include "mgr/image/durable_file.hpp"

namespace quoll::mgr {

// One regular file of the archive.
struct SpooledFile {
  std::filesystem::path path;  // where its bytes lie now
  std::int64_t size = 0;
  std::string digest;  // of those bytes
};

// What is told while an archive is spooled.
struct SpoolNotices {
  // So much of a file of so many bytes has been written; now and then, for large ones.
  std::function<void(const std::filesystem::path&, std::int64_t written, std::int64_t size)> on_growth;
  // A file is complete. Another of the same name may come later and replace it.
  std::function<void(const SpooledFile&)> on_file;
};

// An archive cannot be sought in, and its manifest may come last: so every regular file is kept until the manifest says
// which are needed.
//
// Lifetime: the files belong to the directory given to spool_archive.
// Limits:   at most kEntriesMax entries.
class ArchiveSpool {
 public:
  static constexpr std::size_t kEntriesMax = 100'000;

  // The file of that name, or that the links of that name lead to; nullptr when there is none.
  const SpooledFile* find(std::string_view name) const;

 private:
  friend ArchiveSpool spool_archive(ByteSource, const std::filesystem::path&, std::stop_token, const SpoolNotices&);

  std::map<std::string, SpooledFile, std::less<>> files_;
  std::map<std::string, std::string, std::less<>> links_;
};

// Reads a tar (plain, gzip, zstd, bzip2 or xz) into files below `directory`, and `source` to its very end.
//
// Cancel:   kCancelled. Errors: kInvalidArgument for garbage or a truncated stream; kResourceExhausted; what `source`
//           throws. The caller drops the directory.
ArchiveSpool spool_archive(ByteSource source, const std::filesystem::path& directory, std::stop_token stop,
                           const SpoolNotices& notices = {});

}  // namespace quoll::mgr
