#include "mgr/attach/detach_keys.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

TEST(detach_keys, are_named_as_docker_names_them) {
  EXPECT_EQ(parse_detach_keys(""), "\x10\x11");
  EXPECT_EQ(parse_detach_keys("ctrl-p,ctrl-q"), "\x10\x11");
  EXPECT_EQ(parse_detach_keys("a,ctrl-a,ctrl-\\,DEL"), "a\x01\x1c\x7f");
  EXPECT_EQ(parse_detach_keys("ctrl-@"), std::string(1, '\0'));
  for (const char* wrong : {"ctrl-", "ctrl-P", "ab", "a,", "shift-a"})
    EXPECT_THROW(parse_detach_keys(wrong), Error) << wrong;
}

TEST(detach_keys, are_found_across_reads_and_what_only_looked_like_them_goes_through) {
  DetachKeys keys("\x10\x11");
  std::string through;
  EXPECT_FALSE(keys.feed("ls\x10", through));
  EXPECT_EQ(through, "ls");
  EXPECT_FALSE(keys.feed("x\x10\x10", through));
  EXPECT_EQ(through, "\x10x\x10");
  EXPECT_TRUE(keys.feed("\x11more", through));
  EXPECT_EQ(through, "");
}

TEST(detach_keys, none_at_all_let_everything_through) {
  DetachKeys keys("");
  std::string through;
  EXPECT_FALSE(keys.feed("\x10\x11", through));
  EXPECT_EQ(through, "\x10\x11");
}

}  // namespace
}  // namespace quoll::mgr
