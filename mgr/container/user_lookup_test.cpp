#include "mgr/container/user_lookup.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "# a comment\n"
    "broken line\n"
    "bad:x:notanumber:0::/:/bin/sh\n"
    "bob:x:1000:1001::/home/bob:/bin/sh\n"
    "1000:x:7:8::/odd:/bin/sh\n"
    "nohome:x:9:9:::/bin/sh";
constexpr const char* kGroup =
    "root:x:0:\n"
    "bobs:x:1001:\n"
    "wheel:x:10:root,bob\n"
    "audio:x:29:bob\n"
    "55:x:56:\n";

using Gids = std::vector<uint32_t>;

ContainerUser find(std::string_view user, std::vector<std::string> group_add = {}) {
  return find_user(user, group_add, kPasswd, kGroup);
}

std::string error_of(std::string_view user, std::vector<std::string> group_add = {}) {
  try {
    find(user, std::move(group_add));
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    return error.message();
  }
  return "found";
}

TEST(user_lookup, nobody_asked_for_is_root_with_its_home_and_groups) {
  EXPECT_EQ(find(""), (ContainerUser{0, 0, Gids{0, 10}, "/root"}));
  EXPECT_EQ(find_user("", {}, "", ""), (ContainerUser{0, 0, Gids{0}, "/"}));
}

TEST(user_lookup, a_name_brings_its_group_home_and_supplementary_groups) {
  EXPECT_EQ(find("bob"), (ContainerUser{1000, 1001, Gids{1001, 10, 29}, "/home/bob"}));
  EXPECT_EQ(find("nohome"), (ContainerUser{9, 9, Gids{9}, "/"}));
}

TEST(user_lookup, a_number_finds_its_entry_unless_it_is_a_name) {
  EXPECT_EQ(find("1000"), (ContainerUser{7, 8, Gids{8}, "/odd"}));
  EXPECT_EQ(find("9").gid, 9u);
  EXPECT_EQ(find("4242"), (ContainerUser{4242, 0, Gids{0}, "/"}));
}

TEST(user_lookup, a_group_by_name_or_number_replaces_all_groups) {
  EXPECT_EQ(find("bob:audio"), (ContainerUser{1000, 29, Gids{29}, "/home/bob"}));
  EXPECT_EQ(find("bob:77").gid, 77u);
  EXPECT_EQ(find("4242:wheel").gid, 10u);
  EXPECT_EQ(find("bob:55").gid, 56u) << "a group's name wins over its number";
}

TEST(user_lookup, added_groups_come_once) {
  EXPECT_EQ(find("bob:bobs", {"audio", "29", "77"}).additional_gids, (Gids{1001, 29, 77}));
}

TEST(user_lookup, unknown_names_are_refused_in_dockers_words) {
  EXPECT_EQ(error_of("eve"), "unable to find user eve: no matching entries in passwd file");
  EXPECT_EQ(error_of("bad"), "unable to find user bad: no matching entries in passwd file");
  EXPECT_EQ(error_of("bob:eves"), "unable to find group eves: no matching entries in group file");
  EXPECT_EQ(error_of("bob", {"eves"}), "unable to find group eves: no matching entries in group file");
  EXPECT_EQ(error_of("-1"), "unable to find user -1: no matching entries in passwd file");
  EXPECT_EQ(error_of("4294967295"), "uids and gids must be in range 0-2147483647");
  EXPECT_EQ(error_of("0:2147483648"), "uids and gids must be in range 0-2147483647");
}

class UserFilesTest : public testing::Test {
 protected:
  UserFilesTest() {
    std::string pattern = (fs::temp_directory_path() / "quoll_user_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    root_ = dir_ + "/root";
    fs::create_directories(root_ + "/etc");
    // What must never be read: entries beside the container's root.
    fs::create_directories(dir_ + "/etc");
    std::ofstream(dir_ + "/etc/passwd") << "bob:x:666:666::/outside:/bin/sh\n";
  }
  ~UserFilesTest() override { fs::remove_all(dir_); }

  std::string error_of_bob() {
    try {
      lookup_user(root_, "bob", {});
    } catch (const Error& error) {
      return error.message();
    }
    return "found";
  }

  const std::string kNotFound = "unable to find user bob: no matching entries in passwd file";
  std::string dir_, root_;
};

TEST_F(UserFilesTest, reads_the_files_of_the_root) {
  std::ofstream(root_ + "/etc/passwd") << kPasswd;
  std::ofstream(root_ + "/etc/group") << kGroup;
  EXPECT_EQ(lookup_user(root_, "bob", {}), find("bob"));
}

TEST_F(UserFilesTest, missing_files_are_empty_ones) {
  EXPECT_EQ(error_of_bob(), kNotFound);
  EXPECT_EQ(lookup_user(root_, "5", {}).uid, 5u);
}

TEST_F(UserFilesTest, a_link_inside_the_root_is_followed_from_the_root) {
  fs::create_directories(root_ + "/real");
  std::ofstream(root_ + "/real/passwd") << kPasswd;
  fs::create_symlink("/real/passwd", root_ + "/etc/passwd");
  EXPECT_EQ(lookup_user(root_, "bob", {}).uid, 1000u);
}

TEST_F(UserFilesTest, no_link_leads_out_of_the_root) {
  fs::create_symlink("../../etc/passwd", root_ + "/etc/passwd");
  EXPECT_EQ(error_of_bob(), kNotFound);
  fs::remove(root_ + "/etc/passwd");
  fs::create_symlink(dir_ + "/etc/passwd", root_ + "/etc/passwd");
  EXPECT_EQ(error_of_bob(), kNotFound);
  fs::remove_all(root_ + "/etc");
  fs::create_directory_symlink(dir_ + "/etc", root_ + "/etc");
  EXPECT_EQ(error_of_bob(), kNotFound);
}

TEST_F(UserFilesTest, a_fifo_or_directory_does_not_hang_and_is_empty) {
  ASSERT_EQ(::mkfifo((root_ + "/etc/passwd").c_str(), 0600), 0);
  fs::create_directory(root_ + "/etc/group");
  EXPECT_EQ(error_of_bob(), kNotFound);
}

TEST_F(UserFilesTest, a_link_loop_is_an_empty_file) {
  fs::create_symlink("passwd", root_ + "/etc/passwd");
  EXPECT_EQ(error_of_bob(), kNotFound);
}

TEST_F(UserFilesTest, an_endless_file_is_refused) {
  std::ofstream(root_ + "/etc/passwd") << "";
  fs::resize_file(root_ + "/etc/passwd", kAccountFileMax + 1);
  EXPECT_EQ(error_of_bob(), "etc/passwd of the container is too large");
}

}  // namespace
}  // namespace quoll::mgr
