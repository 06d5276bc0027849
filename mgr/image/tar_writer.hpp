// Writing of tar streams into memory that the user takes away: one pass, bounded memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "mgr/image/tar_reader.hpp"

namespace quoll::mgr {

// POSIX.1-2001 tar: ustar headers, and pax records where those are too small (long names, bytes that are no ASCII,
// large numbers, extended attributes). Times are whole seconds, as Docker's are. libarchive's own writer brings the
// code of all its formats along, with libxml2 and nettle; this one is a page.
//
// Format:   https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13
// Thread:   one.
class TarWriter {
 public:
  // An entry's header. As many bytes as it says follow by write(), before the next entry.
  void add(const TarEntry& entry);
  void write(std::span<const char> bytes);
  // The end mark, behind the last entry.
  void finish();

  // What has been written since it was last emptied.
  std::string& output() { return output_; }

 private:
  void add_header(const TarEntry& entry, char type, std::int64_t size);

  std::string output_;
  std::int64_t left_ = 0;  // of the entry's content
  std::size_t padding_ = 0;
};

}  // namespace quoll::mgr
