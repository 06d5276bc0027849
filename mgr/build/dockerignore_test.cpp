#include "mgr/build/dockerignore.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

TEST(dockerignore, last_match_decides) {
  const DockerIgnore ignore("# comment\n*.log\n/build\n!build/keep\n**/tmp\na/*/c\nx[0-9^]y\n z\\*\n[^a]b\n**.bak\n");
  const auto is_ignored = [&](std::string_view path) { return ignore.ignores(path); };
  for (const char* path :
       {"x.log", "build/deep/file", "tmp", "x/y/tmp/z", "a/b/c", "x5y", "x^y", "z*", "bb", "d/e.bak", "a/b/c/d"}) {
    EXPECT_TRUE(is_ignored(path)) << path;
  }
  for (const char* path :
       {"d/x.log", "build/keep", "build/keep/file", "tmpx", "a/c", "a/b/b/c", "xay", "za", "ab", "e.bak2"}) {
    EXPECT_FALSE(is_ignored(path)) << path;
  }
  EXPECT_TRUE(ignore.has_exceptions());
  EXPECT_THROW(DockerIgnore("[a"), Error);
  EXPECT_THROW(DockerIgnore("a\\"), Error);
}

TEST(dockerignore, all_but) {
  const DockerIgnore ignore("*\n!src\n!**/*.md\nsrc/secret\n");
  EXPECT_TRUE(ignore.ignores("a"));
  EXPECT_FALSE(ignore.ignores("src/a/b"));
  EXPECT_FALSE(ignore.ignores("a/b/c.md"));
  EXPECT_TRUE(ignore.ignores("src/secret"));
}

TEST(dockerignore, ends_when_it_is_told_to) {
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_THROW(DockerIgnore("a").ignores("b/c", stopped.get_token()), Error);
}

}  // namespace
}  // namespace quoll::mgr
