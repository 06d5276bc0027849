#include "mgr/image/tar_reader.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include "task/error.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kReadSize = 256 * 1024;  // as much as an upload has ready at one time

// Pins this thread to the C locale. In it the library hands pax names over byte for byte (with a warning that is not an
// error); in a UTF-8 locale it would compose accents, so that an unpacked file gets another name than the archive says.
class CLocaleScope {
 public:
  CLocaleScope() {
    static const locale_t c_locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
    if (c_locale != nullptr) previous_ = ::uselocale(c_locale);
  }
  CLocaleScope(const CLocaleScope&) = delete;
  CLocaleScope& operator=(const CLocaleScope&) = delete;
  ~CLocaleScope() {
    if (previous_ != nullptr) ::uselocale(previous_);
  }

 private:
  locale_t previous_ = nullptr;
};

std::string text_or_empty(const char* text) { return text == nullptr ? std::string() : std::string(text); }

TarEntryType entry_type(struct archive_entry* raw) {
  if (archive_entry_hardlink(raw) != nullptr) return TarEntryType::kHardLink;
  switch (archive_entry_filetype(raw)) {
    case AE_IFREG:
      return TarEntryType::kFile;
    case AE_IFDIR:
      return TarEntryType::kDirectory;
    case AE_IFLNK:
      return TarEntryType::kSymlink;
    case AE_IFCHR:
      return TarEntryType::kCharDevice;
    case AE_IFBLK:
      return TarEntryType::kBlockDevice;
    case AE_IFIFO:
      return TarEntryType::kFifo;
    default:
      return TarEntryType::kOther;
  }
}

void read_xattrs(struct archive_entry* raw, TarEntry& entry) {
  archive_entry_xattr_reset(raw);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(raw, &name, &value, &size) == ARCHIVE_OK) {
    if (name == nullptr) continue;
    entry.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
  }
}

TarEntry read_header(struct archive_entry* raw) {
  TarEntry entry;
  entry.type = entry_type(raw);
  entry.path = text_or_empty(archive_entry_pathname(raw));
  if (entry.type == TarEntryType::kHardLink) entry.link_target = text_or_empty(archive_entry_hardlink(raw));
  if (entry.type == TarEntryType::kSymlink) entry.link_target = text_or_empty(archive_entry_symlink(raw));
  entry.mode = archive_entry_perm(raw) & 07777;
  entry.uid = archive_entry_uid(raw);
  entry.gid = archive_entry_gid(raw);
  if (entry.type == TarEntryType::kFile) {
    entry.size = archive_entry_size(raw);
    entry.sparse = archive_entry_sparse_count(raw) != 0;
  }
  if (archive_entry_mtime_is_set(raw) != 0) {
    entry.mtime.tv_sec = archive_entry_mtime(raw);
    entry.mtime.tv_nsec = archive_entry_mtime_nsec(raw);
  }
  if (entry.type == TarEntryType::kCharDevice || entry.type == TarEntryType::kBlockDevice) {
    entry.device_major = static_cast<unsigned>(archive_entry_rdevmajor(raw));
    entry.device_minor = static_cast<unsigned>(archive_entry_rdevminor(raw));
  }
  read_xattrs(raw, entry);
  return entry;
}

}  // namespace

ArchiveHandle::ArchiveHandle(ByteSource source)
    : archive_(archive_read_new()),
      source_(std::move(source)),
      input_(std::make_unique_for_overwrite<char[]>(kReadSize)) {
  if (archive_ == nullptr) throw Error(ErrorClass::kResourceExhausted, "read archive: out of memory");
}

ArchiveHandle::~ArchiveHandle() { archive_read_free(archive_); }

long ArchiveHandle::read_callback(struct archive* archive, void* self, const void** buffer) {
  auto& handle = *static_cast<ArchiveHandle*>(self);
  try {
    *buffer = handle.input_.get();
    return static_cast<long>(handle.source_({handle.input_.get(), kReadSize}));
  } catch (...) {
    // An exception must not cross the C library's frames: fail() rethrows it on our side of them.
    handle.source_failure_ = std::current_exception();
    archive_set_error(archive, EIO, "source failed");
    return -1;
  }
}

void ArchiveHandle::open() {
  const int status = archive_read_open(archive_, this, nullptr, &ArchiveHandle::read_callback, nullptr);
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) fail();
}

void ArchiveHandle::fail() {
  if (source_failure_) std::rethrow_exception(source_failure_);
  const bool no_memory = archive_errno(archive_) == ENOMEM;
  throw Error(no_memory ? ErrorClass::kResourceExhausted : ErrorClass::kInvalidArgument,
              "read archive: " + text_or_empty(archive_error_string(archive_)));
}

AnyDecompressor::AnyDecompressor(ByteSource source) : handle_(std::move(source)) {
  struct archive* raw = handle_.get();
  archive_read_support_filter_gzip(raw);
  archive_read_support_filter_zstd(raw);
  archive_read_support_filter_bzip2(raw);
  archive_read_support_filter_xz(raw);
  archive_read_support_format_raw(raw);
  archive_read_support_format_empty(raw);
  handle_.open();
  struct archive_entry* entry = nullptr;
  const int status = archive_read_next_header(raw, &entry);
  if (status == ARCHIVE_EOF) {
    at_end_ = true;
  } else if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
    handle_.fail();
  }
}

std::size_t AnyDecompressor::read(std::span<char> buffer) {
  while (pending_.empty() && !at_end_) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int status = archive_read_data_block(handle_.get(), &data, &size, &offset);
    if (status == ARCHIVE_EOF) {
      at_end_ = true;
    } else if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
      handle_.fail();
    } else {
      pending_ = {static_cast<const char*>(data), size};
    }
  }
  const std::size_t count = std::min(buffer.size(), pending_.size());
  if (count != 0) std::memcpy(buffer.data(), pending_.data(), count);
  pending_ = pending_.subspan(count);
  return count;
}

TarReader::TarReader(ByteSource source, OuterCompression compression) : handle_(std::move(source)) {
  struct archive* raw = handle_.get();
  if (compression == OuterCompression::kAny) {
    archive_read_support_filter_gzip(raw);
    archive_read_support_filter_zstd(raw);
    archive_read_support_filter_bzip2(raw);
    archive_read_support_filter_xz(raw);
  }
  archive_read_support_format_tar(raw);
  const CLocaleScope scope;
  handle_.open();
}

bool TarReader::next() {
  const CLocaleScope scope;
  struct archive_entry* raw = nullptr;
  const int status = archive_read_next_header(handle_.get(), &raw);
  if (status == ARCHIVE_EOF) return false;
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
    if (lacks_only_padding()) return false;
    handle_.fail();
  }
  entry_ = read_header(raw);
  content_left_ = entry_.size;
  return true;
}

// After a failure. The library has words of its own for a stream that ends before what it wants to skip; a header that
// is cut off has others.
bool TarReader::lacks_only_padding() {
  const std::string failure = text_or_empty(archive_error_string(handle_.get()));
  return content_left_ == 0 && failure.starts_with("Truncated input file");
}

bool TarReader::read_block(TarBlock& block) {
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int status = archive_read_data_block(handle_.get(), &data, &size, &offset);
  if (status == ARCHIVE_EOF) return false;
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) {
    if (lacks_only_padding()) return false;
    handle_.fail();
  }
  block.bytes = {static_cast<const char*>(data), size};
  block.offset = offset;
  content_left_ = entry_.size - (offset + static_cast<std::int64_t>(size));
  return true;
}

}  // namespace quoll::mgr
