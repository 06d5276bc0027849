#include "mgr/image/durable_file.hpp"

#include <gtest/gtest.h>

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
