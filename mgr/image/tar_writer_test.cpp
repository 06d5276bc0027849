// What the writer writes, libarchive reads: every kind of entry, and every field beyond what a header holds.
#include "mgr/image/tar_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgr/image/archive_fixture.hpp"

namespace quoll::mgr {
namespace {

TarEntry entry(TarEntryType type, std::string path) {
  TarEntry entry;
  entry.type = type;
  entry.path = std::move(path);
  entry.mode = 0640;
  entry.mtime.tv_sec = 1'600'000'000;
  return entry;
}

TarEntry read_back(const TarEntry& written, std::string_view content = "") {
  TarWriter writer;
  writer.add(written);
  if (!content.empty()) writer.write(content);
  writer.finish();
  EXPECT_EQ(writer.output().size() % 512, 0u);
  TarReader reader(fixture::source(writer.output()), OuterCompression::kNone);
  EXPECT_TRUE(reader.next());
  TarEntry read = reader.entry();
  std::string all;
  for (TarBlock block; reader.read_block(block);) all.append(block.bytes.data(), block.bytes.size());
  EXPECT_EQ(all, content);
  EXPECT_FALSE(reader.next());
  return read;
}

void expect_same(const TarEntry& read, const TarEntry& written) {
  EXPECT_EQ(read.type, written.type);
  EXPECT_EQ(read.path, written.path);
  EXPECT_EQ(read.link_target, written.link_target);
  EXPECT_EQ(read.mode, written.mode);
  EXPECT_EQ(read.uid, written.uid);
  EXPECT_EQ(read.gid, written.gid);
  EXPECT_EQ(read.size, written.size);
  EXPECT_EQ(read.mtime.tv_sec, written.mtime.tv_sec);
  EXPECT_THAT(read.xattrs, testing::UnorderedElementsAreArray(written.xattrs));
}

TEST(tar_writer, every_kind_of_entry_comes_back) {
  TarEntry link = entry(TarEntryType::kSymlink, "link");
  link.link_target = "/some/where";
  TarEntry hard_link = entry(TarEntryType::kHardLink, "hard");
  hard_link.link_target = "link";
  TarEntry device = entry(TarEntryType::kBlockDevice, "device");
  device.device_major = 8;
  device.device_minor = 300;
  for (const TarEntry& each : {entry(TarEntryType::kDirectory, "d/"), link, hard_link, device,
                               entry(TarEntryType::kCharDevice, "c"), entry(TarEntryType::kFifo, "f")}) {
    expect_same(read_back(each), each);
  }
  EXPECT_EQ(read_back(device).device_minor, 300u);
}

TEST(tar_writer, what_does_not_fit_a_header_comes_back_too) {
  for (const std::size_t length : {99u, 100u, 101u, 255u, 5000u}) {
    TarEntry file = entry(TarEntryType::kFile, std::string(length, 'p'));
    file.size = 3;
    expect_same(read_back(file, "abc"), file);
    TarEntry link = entry(TarEntryType::kSymlink, "l");
    link.link_target = std::string(length, 't');
    expect_same(read_back(link), link);
  }
  TarEntry odd = entry(TarEntryType::kFile, "caf\xc3\xa9 \xff\n=1");
  odd.uid = 4'000'000'000;
  odd.gid = 2'097'152;
  odd.mode = 06755;
  odd.mtime.tv_sec = -5;
  odd.xattrs = {{"user.a", std::string("\0\n=b", 4)}, {"security.capability", std::string(20, '\x01')}};
  expect_same(read_back(odd), odd);
}

TEST(tar_writer, content_is_padded_to_whole_blocks) {
  for (const std::size_t size : {1u, 511u, 512u, 513u, 100'000u}) {
    TarEntry file = entry(TarEntryType::kFile, "f");
    file.size = static_cast<std::int64_t>(size);
    expect_same(read_back(file, std::string(size, 'x')), file);
  }
}

TEST(tar_writer, a_size_beyond_eight_gigabytes_is_said) {
  TarWriter writer;
  TarEntry file = entry(TarEntryType::kFile, "huge");
  file.size = 9'000'000'000;
  writer.add(file);
  TarReader reader(fixture::source(writer.output()), OuterCompression::kNone);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.entry().size, 9'000'000'000);
}

}  // namespace
}  // namespace quoll::mgr
