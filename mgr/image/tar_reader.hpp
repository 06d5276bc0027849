// Reading of untrusted tar streams, one pass, bounded memory.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mgr/image/durable_file.hpp"

struct archive;
struct archive_entry;

namespace quoll::mgr {

enum class TarEntryType { kFile, kDirectory, kSymlink, kHardLink, kCharDevice, kBlockDevice, kFifo, kOther };

// One entry's header. Names are the archive's bytes, untouched: not checked, not normalised.
struct TarEntry {
  TarEntryType type = TarEntryType::kOther;
  std::string path;
  std::string link_target;  // kSymlink and kHardLink only
  unsigned mode = 0;        // permission bits with setuid, setgid and sticky
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::int64_t size = 0;  // kFile only
  bool sparse = false;    // kFile only: the archive leaves out stretches of zeros
  timespec mtime{};
  unsigned device_major = 0;
  unsigned device_minor = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

struct TarBlock {
  std::span<const char> bytes;  // valid until the next call on the reader
  std::int64_t offset = 0;      // in the entry; gaps are holes of a sparse file
};

// The library's handle, its input, and the exception of the source that broke it.
class ArchiveHandle {
 public:
  explicit ArchiveHandle(ByteSource source);
  ArchiveHandle(const ArchiveHandle&) = delete;
  ArchiveHandle& operator=(const ArchiveHandle&) = delete;
  ~ArchiveHandle();

  struct archive* get() { return archive_; }
  void open();

  // Rethrows what the source threw; else throws kInvalidArgument with the library's words.
  [[noreturn]] void fail();

 private:
  static long read_callback(struct archive* archive, void* self, const void** buffer);

  struct archive* archive_;
  ByteSource source_;
  std::unique_ptr<char[]> input_;
  std::exception_ptr source_failure_;
};

enum class OuterCompression { kNone, kAny };

// The plain bytes of a stream in any compression, bzip2 and xz too, which no layer of an image is in (see
// Decompressor).
//
// Errors:   kInvalidArgument for a truncated or damaged stream; what the source throws.
class AnyDecompressor {
 public:
  explicit AnyDecompressor(ByteSource source);

  // Fills the front of `buffer`; 0 is the end.
  std::size_t read(std::span<char> buffer);

 private:
  ArchiveHandle handle_;
  std::span<const char> pending_;
  bool at_end_ = false;
};

// The entries of a tar stream. One that ends with its last file's content is whole: Go's writers may leave out what
// fills that file's last block up.
//
// Errors:   kInvalidArgument for what is no tar, or a truncated one; what the source throws.
class TarReader {
 public:
  TarReader(ByteSource source, OuterCompression compression);

  // Goes on to the next entry, skipping what is left of this one. False at the end.
  bool next();

  const TarEntry& entry() const { return entry_; }

  // The next piece of the current entry's content. False at its end.
  bool read_block(TarBlock& block);

 private:
  bool lacks_only_padding();

  ArchiveHandle handle_;
  TarEntry entry_;
  std::int64_t content_left_ = 0;  // behind what read_block() has given
};

}  // namespace quoll::mgr
