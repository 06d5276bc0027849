#include "mgr/image/durable_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "mgr/image/archive_fixture.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

TEST(durable_file, reads_up_to_the_limit_and_not_beyond) {
  const fixture::TestDirectory directory;
  const std::string content(40'000, 'c');
  replace_file(directory.path() / "f", directory.path() / "t", content);
  EXPECT_EQ(read_file(directory.path() / "f", content.size()), content);
  EXPECT_THROW(read_file(directory.path() / "f", content.size() - 1), Error);
}

TEST(durable_file, reads_files_of_the_kernel_that_have_no_size) {
  EXPECT_NE(read_file("/proc/self/status", 1 << 20).find("Name:"), std::string::npos);
}

struct stat status_of(int fd) {
  struct stat status{};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return status;
}

TEST(durable_file, room_for_a_large_file_is_found_a_stretch_at_a_time_and_not_beyond_its_end) {
  constexpr std::int64_t kMegabyte = 1 << 20;
  const fixture::TestDirectory directory;
  const UniqueFd file = open_file(directory.path() / "f", O_WRONLY | O_CREAT);
  const auto reserved = [&file] { return status_of(file.get()).st_blocks * 512; };
  reserve_ahead(file.get(), 0, 1000, 100'000);
  EXPECT_EQ(reserved(), 0) << "it is small";
  reserve_ahead(file.get(), 0, 1000, 9 * kMegabyte);
  EXPECT_EQ(reserved(), 8 * kMegabyte);
  reserve_ahead(file.get(), 1000, 8 * kMegabyte, 9 * kMegabyte);
  EXPECT_EQ(reserved(), 8 * kMegabyte) << "nothing behind it is written yet";
  reserve_ahead(file.get(), 8 * kMegabyte - 10, 8 * kMegabyte + 10, 9 * kMegabyte);
  EXPECT_EQ(reserved(), 9 * kMegabyte);
  EXPECT_EQ(status_of(file.get()).st_size, 0);
}

TEST(durable_file, a_missing_file_is_not_found) {
  try {
    read_file("/nonexistent/file", 10);
    ADD_FAILURE() << "read it";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kNotFound);
  }
  EXPECT_FALSE(path_exists("/nonexistent/file"));
}

TEST(durable_file, replacement_that_fails_leaves_the_old_content_and_no_temporary) {
  const fixture::TestDirectory directory;
  replace_file(directory.path() / "f", directory.path() / "t", "old");
  EXPECT_THROW(replace_file(directory.path() / "missing" / "f", directory.path() / "t", "new"), Error);
  EXPECT_EQ(read_file(directory.path() / "f", 10), "old");
  EXPECT_FALSE(path_exists(directory.path() / "t"));
}

}  // namespace
}  // namespace quoll::mgr
