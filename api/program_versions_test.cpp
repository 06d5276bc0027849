#include "api/program_versions.hpp"

#include <gtest/gtest.h>

namespace quoll::api {
namespace {

TEST(program_versions, the_commit_is_told_and_else_the_version) {
  EXPECT_EQ(commit_of("crun version 1.8.1\ncommit: f8a096be060b\nrundir: /run/crun\n"), "f8a096be060b");
  EXPECT_EQ(commit_of("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev\n"), "1.1.5+ds1-1+deb12u1");
  EXPECT_EQ(commit_of("runc version 1.2.0\nspec: 1.2.0\n"), "1.2.0");
  EXPECT_EQ(commit_of("tini version 0.19.0 - git.de40ad0\n"), "de40ad0");
  EXPECT_EQ(commit_of("tini version 0.19.0\n"), "0.19.0");
  for (const char* text : {"", "catatonit", "commit: ", "commit: \nversion"}) EXPECT_EQ(commit_of(text), "N/A") << text;
}

}  // namespace
}  // namespace quoll::api
