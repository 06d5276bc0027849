#include "mgr/image/layer_unpacker.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "mgr/image/archive_fixture.hpp"
#include "mgr/image/digest.hpp"
#include "mgr/image/remove_tree.hpp"
#include "mgr/image/rooted_path.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using namespace fixture;  // NOLINT(google-build-using-namespace): test vocabulary
using testing::HasSubstr;

// `layer` is unpacked; `outside`, beside it, must stay as it is whatever the archive says.
class LayerUnpackerTest : public testing::Test {
 protected:
  LayerUnpackerTest() {
    std::filesystem::create_directory(layer_);
    std::filesystem::create_directory(outside_);
    replace_file(outside_ / "secret", directory_.path() / "t", "secret");
  }

  LayerContent unpack(const std::vector<TarItem>& items) { return unpack_bytes(tar(items)); }

  LayerContent unpack_bytes(const std::string& bytes) {
    const UniqueFd root = open_file(layer_, O_RDONLY | O_DIRECTORY);
    return unpack_layer(source(bytes), root.get(), {});
  }

  std::string refusal(const std::vector<TarItem>& items) {
    try {
      unpack(items);
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument) << error.message();
      return error.message();
    }
    return "accepted";
  }

  struct stat status(const std::string& name) {
    struct stat found{};
    EXPECT_EQ(::lstat((layer_ / name).c_str(), &found), 0) << name;
    return found;
  }

  bool exists(const std::string& name) { return path_exists(layer_ / name); }
  std::string content(const std::string& name) { return read_file(layer_ / name, 1 << 20); }

  std::optional<std::string> attribute(const std::string& name, const char* key) {
    std::string value(256, '\0');
    const ssize_t size = ::lgetxattr((layer_ / name).c_str(), key, value.data(), value.size());
    if (size < 0) return std::nullopt;
    value.resize(static_cast<std::size_t>(size));
    return value;
  }

  bool is_whiteout(const std::string& name) {
    const auto found = status(name);
    return S_ISCHR(found.st_mode) && found.st_rdev == makedev(0, 0);
  }

  void expect_outside_untouched() {
    EXPECT_EQ(read_file(outside_ / "secret", 100), "secret");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(outside_), {}), 1);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 2);
    struct stat found{};
    EXPECT_EQ(::stat((outside_ / "secret").c_str(), &found), 0);
    EXPECT_EQ(found.st_nlink, 1u);
    EXPECT_EQ(found.st_mode & 07777, 0600u);
  }

  TestDirectory directory_;
  const std::filesystem::path layer_ = directory_.path() / "layer";
  const std::filesystem::path outside_ = directory_.path() / "outside";
};

// --- What a layer brings ---------------------------------------------------------------------------------------------

TEST_F(LayerUnpackerTest, keeps_content_mode_owner_and_time) {
  TarItem program = file("bin/su", "program", 04755);
  program.uid = 12;
  program.gid = 34;
  program.mtime = 1'600'000'001;
  const LayerContent result = unpack({directory("./", 0711), directory("bin/", 0750), program});
  const auto found = status("bin/su");
  EXPECT_EQ(found.st_mode, S_IFREG | 04755u);
  EXPECT_EQ(found.st_uid, 12u);
  EXPECT_EQ(found.st_gid, 34u);
  EXPECT_EQ(found.st_mtim.tv_sec, 1'600'000'001);
  EXPECT_EQ(content("bin/su"), "program");
  EXPECT_EQ(status("bin").st_mode & 07777, 0750u);
  EXPECT_EQ(status("bin").st_mtim.tv_sec, 1'700'000'000);  // though a file was written into it later
  EXPECT_EQ(status("").st_mode & 07777, 0711u);
  EXPECT_EQ(result.size, 7);
}

TEST_F(LayerUnpackerTest, keeps_fractions_of_a_second_and_attributes) {
  TarItem item = file("a");
  item.pax = {{"mtime", "1600000000.25"}, {"SCHILY.xattr.user.note", std::string("v\0w", 3)}};
  unpack({item});
  EXPECT_EQ(status("a").st_mtim.tv_nsec, 250'000'000);
  EXPECT_EQ(attribute("a", "user.note"), std::string("v\0w", 3));
}

TEST_F(LayerUnpackerTest, links_and_nodes) {
  TarItem null = {.name = "null", .type = '3', .mode = 0666, .device_major = 1, .device_minor = 3};
  unpack({file("a", "one"), hard_link("b", "./a"), symlink("c", "/etc/passwd"), null, {.name = "p", .type = '6'}});
  EXPECT_EQ(status("a").st_ino, status("b").st_ino);
  EXPECT_EQ(std::filesystem::read_symlink(layer_ / "c"), "/etc/passwd");
  EXPECT_EQ(status("null").st_mode, S_IFCHR | 0666u);
  EXPECT_EQ(status("null").st_rdev, makedev(1, 3));
  EXPECT_TRUE(S_ISFIFO(status("p").st_mode));
}

TEST_F(LayerUnpackerTest, names_are_bytes_neither_composed_nor_checked) {
  const std::string decomposed = "e\xcc\x81", invalid = "\xff-name";
  TarItem first = file("x"), second = file("y"), link = symlink("z", "t");
  first.pax = {{"path", decomposed}};
  second.pax = {{"path", invalid}};
  link.pax = {{"linkpath", decomposed}};
  // In a UTF-8 locale the library would compose the accent.
  const locale_t utf8 = ::newlocale(LC_ALL_MASK, "C.UTF-8", nullptr);
  ASSERT_NE(utf8, nullptr);
  const locale_t previous = ::uselocale(utf8);
  unpack({first, second, link});
  ::uselocale(previous);
  ::freelocale(utf8);
  EXPECT_TRUE(exists(decomposed));
  EXPECT_TRUE(exists(invalid));
  EXPECT_EQ(std::filesystem::read_symlink(layer_ / "z").string(), decomposed);
}

TEST_F(LayerUnpackerTest, long_names_and_missing_parents) {
  const std::string name = std::string(120, 'd') + "/" + std::string(200, 'f');
  TarItem item = file("short");
  item.pax = {{"path", name}};
  unpack({item});
  EXPECT_TRUE(exists(name));
  EXPECT_EQ(status(std::string(120, 'd')).st_mode & 07777, 0755u);
}

TEST_F(LayerUnpackerTest, sparse_file_keeps_its_holes) {
  TarItem item = file("sparse", "1\n1048576\n4\n" + std::string(512 - 12, '\0') + "tail");
  item.pax = {{"GNU.sparse.major", "1"},
              {"GNU.sparse.minor", "0"},
              {"GNU.sparse.name", "sparse"},
              {"GNU.sparse.realsize", "1048580"}};
  unpack({item});
  EXPECT_EQ(status("sparse").st_size, 1'048'580);
  EXPECT_LT(status("sparse").st_blocks, 100);
  EXPECT_EQ(read_file(layer_ / "sparse", 2 << 20).substr(1'048'576), "tail");
}

TEST_F(LayerUnpackerTest, diff_id_covers_padding_and_is_of_the_plain_bytes) {
  const std::string plain = tar({file("a")}) + std::string(10'240, '\0');
  EXPECT_EQ(unpack_bytes(gzip(plain)).diff_id, sha256_digest(plain));
  EXPECT_EQ(layer_diff_id(source(zstd(plain)), {}), sha256_digest(plain));
  EXPECT_EQ(layer_diff_id(source(plain), {}), sha256_digest(plain));
  EXPECT_EQ(layer_diff_id(source(gzip(plain) + gzip(plain)), {}), sha256_digest(plain + plain));
}

TEST_F(LayerUnpackerTest, an_empty_layer_is_a_layer) {
  EXPECT_EQ(unpack({}).size, 0);
  EXPECT_TRUE(std::filesystem::is_empty(layer_));
}

TEST_F(LayerUnpackerTest, a_later_entry_replaces_an_earlier_one) {
  unpack({directory("a"), file("a/f"), file("a", "file now"), file("b"), directory("b"), file("b/g")});
  EXPECT_EQ(content("a"), "file now");
  EXPECT_TRUE(exists("b/g"));
}

TEST_F(LayerUnpackerTest, a_directory_named_twice_keeps_its_content) {
  unpack({directory("a"), file("a/f"), directory("a", 0700)});
  EXPECT_TRUE(exists("a/f"));
  EXPECT_EQ(status("a").st_mode & 07777, 0700u);
}

TEST_F(LayerUnpackerTest, hard_link_onto_its_own_other_name_keeps_the_file) {
  unpack({file("a", "one"), hard_link("b", "a"), hard_link("a", "b"), hard_link("a", "a")});
  EXPECT_EQ(content("a"), "one");
}

// --- Whiteouts -------------------------------------------------------------------------------------------------------

TEST_F(LayerUnpackerTest, whiteout_becomes_a_device_and_opaque_an_attribute) {
  unpack({directory("etc"), file("etc/.wh.passwd", ""), directory("var"), file("var/.wh..wh..opq", ""),
          file(".wh.top", "")});
  EXPECT_TRUE(is_whiteout("etc/passwd"));
  EXPECT_TRUE(is_whiteout("top"));
  EXPECT_EQ(attribute("var", "trusted.overlay.opaque"), "y");
  EXPECT_EQ(attribute("etc", "trusted.overlay.opaque"), std::nullopt);
  EXPECT_FALSE(exists("var/.wh..wh..opq"));
}

TEST_F(LayerUnpackerTest, whiteout_hides_the_lower_layer_not_its_own) {
  unpack({file("f", "mine"), file(".wh.f", ""), directory("d"), file("d/x"), file(".wh.d", ""),  // after
          file(".wh.g", ""), file("g", "mine"), file(".wh.e", ""), directory("e")});             // before
  EXPECT_EQ(content("f"), "mine");
  EXPECT_EQ(content("g"), "mine");
  EXPECT_TRUE(exists("d/x"));
  EXPECT_EQ(attribute("d", "trusted.overlay.opaque"), "y");
  EXPECT_EQ(attribute("e", "trusted.overlay.opaque"), "y");
}

TEST_F(LayerUnpackerTest, bookkeeping_of_aufs_is_skipped) {
  unpack({directory(".wh..wh.plnk"), file(".wh..wh.aufs", "")});
  EXPECT_TRUE(std::filesystem::is_empty(layer_));
}

// --- Attacks ---------------------------------------------------------------------------------------------------------

TEST_F(LayerUnpackerTest, dot_dot_is_refused) {
  for (const char* name : {"../outside/x", "a/../../outside/x", "..", "./../x", "/../outside/x"}) {
    EXPECT_THAT(refusal({file(name)}), HasSubstr("leads outside the archive's root")) << name;
  }
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, absolute_names_land_inside) {
  unpack({file((outside_ / "x").string()), file("//y")});
  EXPECT_TRUE(exists("y"));
  EXPECT_TRUE(exists((outside_ / "x").relative_path()));
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, a_name_through_an_absolute_link_stays_inside) {
  const std::string target = outside_.string();
  EXPECT_NE(refusal({symlink("link", target), file("link/secret", "owned")}), "accepted");
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, a_name_through_a_climbing_link_stays_inside) {
  unpack(
      {directory("outside"), directory("a"), symlink("a/link", "../../../../outside"), file("a/link/secret", "owned")});
  EXPECT_EQ(content("outside/secret"), "owned");  // as it would be in the container
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, a_chain_of_links_stays_inside) {
  EXPECT_NE(refusal({symlink("a", ".."), symlink("a/b", outside_.string()), file("b/secret", "owned")}), "accepted");
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, a_directory_entry_replaces_a_link_and_does_not_follow_it) {
  unpack({symlink("d", outside_.string()), directory("d", 0777), file("d/x")});
  EXPECT_TRUE(exists("d/x"));
  EXPECT_TRUE(S_ISDIR(status("d").st_mode));
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, a_file_replaces_a_link_and_does_not_write_through_it) {
  unpack({symlink("f", (outside_ / "secret").string()), file("f", "mine", 0777)});
  EXPECT_EQ(content("f"), "mine");
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, a_directory_that_turns_into_a_link_is_looked_up_again) {
  // The parent stays open between entries of one directory: this must not survive the parent's replacement.
  EXPECT_NE(refusal({directory("d"), file("d/1"), symlink("d", outside_.string()), file("d/secret", "owned")}),
            "accepted");
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, a_parent_replaced_through_a_link_to_itself_is_looked_up_again) {
  unpack({symlink("l", "."), file("l/x"), directory("l/l"), file("l/y")});
  EXPECT_TRUE(exists("x"));
  EXPECT_TRUE(exists("l/y"));
  EXPECT_FALSE(exists("y"));
}

TEST_F(LayerUnpackerTest, hard_links_to_the_outside_are_refused) {
  for (const std::string target : {"../outside/secret", "/../outside/secret"}) {
    EXPECT_THAT(refusal({hard_link("l", target)}), HasSubstr("link target leads outside the archive's root"));
  }
  EXPECT_THAT(refusal({hard_link("l", (outside_ / "secret").string())}), HasSubstr("which is not there"));
  EXPECT_THAT(refusal({symlink("s", outside_.string()), hard_link("l", "s/secret")}), HasSubstr("which is not there"));
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, a_hard_link_to_a_link_links_the_link) {
  unpack({symlink("s", (outside_ / "secret").string()), hard_link("l", "s")});
  EXPECT_TRUE(S_ISLNK(status("l").st_mode));
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, writing_onto_a_hard_linked_name_leaves_the_other_name_alone) {
  unpack({file("a", "one"), hard_link("b", "a"), file("b", "two")});
  EXPECT_EQ(content("a"), "one");
}

TEST_F(LayerUnpackerTest, whiteouts_of_dots_are_refused) {
  for (const char* name : {".wh.", ".wh..", ".wh...", "d/.wh..."}) {
    EXPECT_THAT(refusal({directory("d"), file(name, "")}), HasSubstr("invalid whiteout")) << name;
  }
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, whiteouts_and_opaque_marks_through_a_link_stay_inside) {
  EXPECT_NE(refusal({symlink("s", outside_.string()), file("s/.wh.secret", "")}), "accepted");
  EXPECT_NE(refusal({symlink("s", outside_.string()), file("s/.wh..wh..opq", "")}), "accepted");
  EXPECT_LT(::getxattr(outside_.c_str(), "trusted.overlay.opaque", nullptr, 0), 0);
  expect_outside_untouched();
}

TEST_F(LayerUnpackerTest, a_loop_of_links_is_refused) {
  EXPECT_NE(refusal({symlink("a", "b"), symlink("b", "a"), file("a/x")}), "accepted");
}

TEST_F(LayerUnpackerTest, overlay_attributes_of_the_archive_are_dropped) {
  TarItem item = directory("d");
  item.pax = {{"SCHILY.xattr.trusted.overlay.redirect", "/etc"},
              {"SCHILY.xattr.trusted.overlay.opaque", "y"},
              {"SCHILY.xattr.user.overlay.opaque", "y"},
              {"SCHILY.xattr.user.kept", "1"}};
  unpack({item});
  EXPECT_EQ(attribute("d", "trusted.overlay.redirect"), std::nullopt);
  EXPECT_EQ(attribute("d", "trusted.overlay.opaque"), std::nullopt);
  EXPECT_EQ(attribute("d", "user.overlay.opaque"), std::nullopt);
  EXPECT_EQ(attribute("d", "user.kept"), "1");
}

TEST_F(LayerUnpackerTest, impossible_entries_are_the_archives_fault) {
  EXPECT_NE(refusal({file(std::string(90, 'a')), file(std::string(90, 'a') + "/x")}), "accepted");
  EXPECT_THAT(refusal({symlink("s", "")}), HasSubstr("\"s\""));
  EXPECT_THAT(refusal({directory("d"), hard_link("l", "d")}), HasSubstr("hard link to a directory"));
  TarItem name_too_long = file("x");
  name_too_long.pax = {{"path", std::string(300, 'n')}};
  EXPECT_THAT(refusal({name_too_long}), HasSubstr("File name too long"));
  TarItem path_too_long = file("x");
  std::string path;
  for (int i = 0; i < 3000; ++i) path += "d/";
  path_too_long.pax = {{"path", path + "f"}};
  EXPECT_NE(refusal({path_too_long}), "accepted");
}

TEST_F(LayerUnpackerTest, garbage_and_truncation_are_refused) {
  const std::string good = tar({file("a", std::string(5000, 'a'))});
  for (const std::string& bad :
       {std::string("garbage, no tar at all"), good.substr(0, 2000), good.substr(0, 5511), good.substr(0, 100),
        gzip(good).substr(0, 60), zstd(good).substr(0, 30), std::string(2000, 'x')}) {
    try {
      unpack_bytes(bad);
      ADD_FAILURE() << "accepted " << bad.size() << " bytes";
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument) << error.message();
    }
  }
}

TEST_F(LayerUnpackerTest, what_fills_the_last_block_may_be_missing) {
  const std::string good = tar({file("a", std::string(5000, 'a'))});
  for (const std::size_t size : {5512, 5513, 5631}) {
    unpack_bytes(good.substr(0, size));
    EXPECT_EQ(content("a"), std::string(5000, 'a')) << size;
  }
}

TEST_F(LayerUnpackerTest, stops_when_asked) {
  std::stop_source stop;
  stop.request_stop();
  const UniqueFd root = open_file(layer_, O_RDONLY | O_DIRECTORY);
  const std::string bytes = tar({file("a")});
  try {
    unpack_layer(source(bytes), root.get(), stop.get_token());
    ADD_FAILURE() << "not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kCancelled);
  }
}

// --- The helpers -----------------------------------------------------------------------------------------------------

TEST(clean_archive_path, is_lexical_and_never_climbs) {
  EXPECT_EQ(clean_archive_path("./a//b/./c/"), "a/b/c");
  EXPECT_EQ(clean_archive_path("/a/../b"), "b");
  EXPECT_EQ(clean_archive_path("."), "");
  EXPECT_EQ(clean_archive_path("a/../.."), std::nullopt);
  EXPECT_EQ(clean_archive_path("..."), "...");
}

TEST(remove_tree, removes_what_is_deeper_than_a_path_can_name) {
  TestDirectory directory;
  const auto top = directory.path() / "top";
  std::filesystem::create_directory(top);
  UniqueFd at = open_file(top, O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "deep", 0700), 0);
    at.reset(::openat(at.get(), "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  at.reset();
  EXPECT_TRUE(remove_tree(top));
  EXPECT_FALSE(path_exists(top));
}

TEST(remove_tree, does_not_follow_links) {
  TestDirectory directory;
  const auto kept = directory.path() / "kept", gone = directory.path() / "gone";
  std::filesystem::create_directories(kept / "inner");
  std::filesystem::create_directory(gone);
  std::filesystem::create_directory_symlink(kept, gone / "link");
  EXPECT_TRUE(remove_tree(gone));
  EXPECT_TRUE(path_exists(kept / "inner"));
  EXPECT_TRUE(remove_tree(gone));  // nothing there is success too
}

}  // namespace
}  // namespace quoll::mgr
