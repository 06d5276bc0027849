#include "api/program_versions.hpp"

#include <gtest/gtest.h>

namespace quoll::api {
namespace {

TEST(program_versions, are_read_with_or_without_a_commit) {
  const std::pair<const char*, ProgramVersion> cases[] = {
      {"crun version 1.8.1\ncommit: f8a096be060b\nrundir: /run/crun\n", {"1.8.1", "f8a096be060b"}},
      {"runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev\n", {"1.1.5+ds1", "1.1.5+ds1-1+deb12u1"}},
      {"runc version 1.2.0\nspec: 1.2.0\n", {"1.2.0", ""}},
      {"tini version 0.19.0 - git.de40ad0\n", {"0.19.0", "de40ad0"}},
      {"tini version 0.19.0\n", {"0.19.0", ""}},
  };
  for (const auto& [text, program] : cases) EXPECT_EQ(parse_program_version(text), program) << text;
  for (const char* text : {"", "catatonit", "commit: ", "commit: \nversion"}) {
    EXPECT_FALSE(parse_program_version(text)) << text;
  }
}

TEST(program_versions, the_commit_is_told_and_else_the_version) {
  EXPECT_EQ(commit_of(ProgramVersion{"0.19.0", "de40ad0"}), "de40ad0");
  EXPECT_EQ(commit_of(ProgramVersion{"0.19.0", ""}), "0.19.0");
  EXPECT_EQ(commit_of(std::nullopt), "N/A");
}

}  // namespace
}  // namespace quoll::api
