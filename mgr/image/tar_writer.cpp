#include "mgr/image/tar_writer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "task/assert.hpp"

namespace quoll::mgr {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameMax = 100;
constexpr std::int64_t kOwnerMax = 07777777;
constexpr std::int64_t kSizeMax = 077777777777;

// A header's fields, by their places in its block.
struct Header {
  std::array<char, kBlock> bytes{};

  void text(std::size_t at, std::size_t length, std::string_view value) {
    std::copy_n(value.data(), std::min(length, value.size()), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  // Octal digits and a zero byte; a number that does not fit has a pax record, and a zero here.
  void number(std::size_t at, std::size_t length, std::int64_t value) {
    std::size_t place = at + length - 2;
    for (std::size_t digits = 0; digits < length - 1; ++digits, --place) {
      bytes[place] = static_cast<char>('0' + (value & 7));
      value >>= 3;
    }
  }
  void seal() {
    std::memset(&bytes[148], ' ', 8);
    std::int64_t sum = 0;
    for (const char byte : bytes) sum += static_cast<unsigned char>(byte);
    number(148, 7, sum);
  }
};

char type_flag(TarEntryType type) {
  switch (type) {
    case TarEntryType::kHardLink:
      return '1';
    case TarEntryType::kSymlink:
      return '2';
    case TarEntryType::kCharDevice:
      return '3';
    case TarEntryType::kBlockDevice:
      return '4';
    case TarEntryType::kDirectory:
      return '5';
    case TarEntryType::kFifo:
      return '6';
    default:
      return '0';
  }
}

bool fits_header(std::string_view text) {
  return text.size() <= kNameMax && std::ranges::all_of(text, [](char c) { return c > 0; });
}

std::int64_t within(std::int64_t value, std::int64_t max) { return value >= 0 && value <= max ? value : 0; }

// "LENGTH key=value\n", where the length counts itself.
void add_record(std::string& records, std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest;
  while (length != rest + std::to_string(length).size()) length = rest + std::to_string(length).size();
  records += std::to_string(length);
  records += ' ';
  records += key;
  records += '=';
  records += value;
  records += '\n';
}

std::string pax_records(const TarEntry& entry, const std::string& path) {
  std::string records;
  if (!fits_header(path)) add_record(records, "path", path);
  if (!fits_header(entry.link_target)) add_record(records, "linkpath", entry.link_target);
  if (within(entry.uid, kOwnerMax) != entry.uid) add_record(records, "uid", std::to_string(entry.uid));
  if (within(entry.gid, kOwnerMax) != entry.gid) add_record(records, "gid", std::to_string(entry.gid));
  if (within(entry.size, kSizeMax) != entry.size) add_record(records, "size", std::to_string(entry.size));
  if (within(entry.mtime.tv_sec, kSizeMax) != entry.mtime.tv_sec) {
    add_record(records, "mtime", std::to_string(entry.mtime.tv_sec));
  }
  for (const auto& [name, value] : entry.xattrs) add_record(records, "SCHILY.xattr." + name, value);
  return records;
}

std::size_t padding_of(std::int64_t size) {
  return static_cast<std::size_t>(-size & static_cast<std::int64_t>(kBlock - 1));
}

// A directory's name ends in a slash, which is how old readers know it.
std::string header_name(const TarEntry& entry) {
  const bool add_slash = entry.type == TarEntryType::kDirectory && !entry.path.ends_with('/');
  return add_slash ? entry.path + "/" : entry.path;
}

}  // namespace

void TarWriter::add_header(const TarEntry& entry, char type, std::int64_t size) {
  Header header;
  header.text(0, kNameMax, entry.path);
  header.number(100, 8, entry.mode & 07777);
  header.number(108, 8, within(entry.uid, kOwnerMax));
  header.number(116, 8, within(entry.gid, kOwnerMax));
  header.number(124, 12, within(size, kSizeMax));
  header.number(136, 12, within(entry.mtime.tv_sec, kSizeMax));
  header.bytes[156] = type;
  header.text(157, kNameMax, entry.link_target);
  header.text(257, 8, std::string_view("ustar\00000", 8));
  header.number(329, 8, entry.device_major);
  header.number(337, 8, entry.device_minor);
  header.seal();
  output_.append(header.bytes.data(), kBlock);
}

void TarWriter::add(const TarEntry& entry) {
  QUOLL_ASSERT(left_ == 0);
  TarEntry named = entry;
  named.path = header_name(entry);
  const std::string records = pax_records(named, named.path);
  if (!records.empty()) {
    TarEntry extension;
    extension.path = "PaxHeaders.0/entry";
    extension.mode = 0644;
    add_header(extension, 'x', static_cast<std::int64_t>(records.size()));
    output_ += records;
    output_.append(padding_of(static_cast<std::int64_t>(records.size())), '\0');
  }
  left_ = entry.type == TarEntryType::kFile ? entry.size : 0;
  padding_ = padding_of(left_);
  add_header(named, type_flag(entry.type), left_);
}

void TarWriter::write(std::span<const char> bytes) {
  QUOLL_ASSERT(static_cast<std::int64_t>(bytes.size()) <= left_);
  output_.append(bytes.data(), bytes.size());
  left_ -= static_cast<std::int64_t>(bytes.size());
  if (left_ == 0) output_.append(std::exchange(padding_, 0), '\0');
}

void TarWriter::finish() { output_.append(2 * kBlock, '\0'); }

}  // namespace quoll::mgr
