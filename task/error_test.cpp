#include "task/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace quoll {
namespace {

TEST(error, carries_its_class_and_message) {
  const Error error(ErrorClass::kNotFound, "no such image: x");
  EXPECT_EQ(error.error_class(), ErrorClass::kNotFound);
  EXPECT_STREQ(error.what(), "no such image: x");
}

TEST(error, a_system_error_names_what_failed_and_why) {
  EXPECT_EQ(system_error(EIO, "read /x").message(), "read /x: Input/output error");
}

TEST(error, errno_decides_the_class) {
  EXPECT_EQ(system_error(EIO, "x").error_class(), ErrorClass::kInternal);
  EXPECT_EQ(system_error(ENOSPC, "x").error_class(), ErrorClass::kResourceExhausted);
  EXPECT_EQ(system_error(EDQUOT, "x").error_class(), ErrorClass::kResourceExhausted);
  EXPECT_EQ(system_error(EACCES, "x").error_class(), ErrorClass::kPermissionDenied);
  EXPECT_EQ(system_error(EPERM, "x").error_class(), ErrorClass::kPermissionDenied);
  EXPECT_EQ(system_error(ENOENT, "x").error_class(), ErrorClass::kNotFound);
}

TEST(error, each_class_has_its_own_word) {
  std::set<std::string_view> words;
  for (int i = 0; i <= static_cast<int>(ErrorClass::kInternal); ++i) {
    words.insert(to_string(static_cast<ErrorClass>(i)));
  }
  EXPECT_EQ(words.size(), static_cast<std::size_t>(ErrorClass::kInternal) + 1);
}

}  // namespace
}  // namespace quoll
