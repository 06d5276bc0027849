// Sources of COPY: found, told apart by their digests, ignored.
#include "mgr/build/build_files.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "mgr/build/build_context.hpp"
#include "mgr/build/build_text.hpp"
#include "mgr/image/archive_fixture.hpp"
#include "mgr/image/image_store_fixture.hpp"

namespace quoll::mgr::fixture {
namespace {

using testing::ElementsAre;

class BuildFilesTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& content = "") {
    const auto path = directory_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << content;
  }
  void link(const std::string& name, const std::string& target) {
    std::filesystem::create_symlink(target, directory_.path() / name);
  }
  int root() {
    root_ = open_file(directory_.path(), O_PATH | O_DIRECTORY);
    return root_.get();
  }
  std::string digest(const std::string& path) { return digest_tree(root(), path, {}); }
  std::vector<std::string> find(const std::string& pattern) { return find_sources(root(), pattern, {}); }
  std::string problem(const std::string& pattern) {
    try {
      find(pattern);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }

  TestDirectory directory_;
  UniqueFd root_;
};

TEST_F(BuildFilesTest, sources) {
  for (const char* name : {"b.txt", "a.txt", "d/c.txt", "d/e/f.txt"}) write(name);
  link("away", "/etc/passwd");
  EXPECT_THAT(find("*.txt"), ElementsAre("a.txt", "b.txt"));
  EXPECT_THAT(find("/d/*/f.tx?"), ElementsAre("d/e/f.txt"));
  EXPECT_THAT(find("d/../a.txt"), ElementsAre("a.txt"));
  EXPECT_THAT(find("."), ElementsAre(""));
  EXPECT_THAT(find("[^a].txt"), ElementsAre("b.txt"));
  EXPECT_THAT(find("x*"), ElementsAre());
  EXPECT_THAT(find("[a"), ElementsAre());
  EXPECT_THAT(problem("../x"), "forbidden path outside the build context: ../x ()");
  EXPECT_THAT(problem("away"), "stat away: file does not exist");
  EXPECT_THAT(problem("aw*"), "stat away: file does not exist");
}

TEST_F(BuildFilesTest, digests_go_by_content_names_modes_and_owners) {
  write("d/a", "1");
  write("d/sub/b", "2");
  link("d/l", "a");
  const std::string before = digest("d");
  std::filesystem::last_write_time(directory_.path() / "d/a",
                                   std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_EQ(digest("d"), before);
  EXPECT_NE(digest("d/a"), digest("d/sub/b"));
  const auto changes = [&](auto change, auto undo) {
    change();
    const bool changed = digest("d") != before;
    undo();
    return changed && digest("d") == before;
  };
  const auto a = directory_.path() / "d/a";
  EXPECT_TRUE(changes([&] { write("d/a", "2"); }, [&] { write("d/a", "1"); }));
  EXPECT_TRUE(changes([&] { write("d/new"); }, [&] { std::filesystem::remove(directory_.path() / "d/new"); }));
  EXPECT_TRUE(changes([&] { ::chmod(a.c_str(), 0755); }, [&] { ::chmod(a.c_str(), 0644); }));
  EXPECT_TRUE(changes([&] { ::chown(a.c_str(), 5, 6); }, [&] { ::chown(a.c_str(), 0, 0); }));
  EXPECT_TRUE(changes([&] { std::filesystem::rename(a, directory_.path() / "d/z"); },
                      [&] { std::filesystem::rename(directory_.path() / "d/z", a); }));
}

TEST_F(BuildFilesTest, ignored_directories_stay_for_exceptions_only) {
  for (const char* name : {"a/hidden", "a/shown", "b/hidden", "c"}) write(name);
  link("d", "/etc");
  apply_dockerignore(root(), "a\nb\nd\n!a/shown\n", {});
  EXPECT_THAT(find("*"), ElementsAre("a", "c"));
  EXPECT_THAT(find("a/*"), ElementsAre("a/shown"));
}

TEST_F(BuildFilesTest, a_cancelled_digest_ends) {
  write("d/a", "1");
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_THROW(digest_tree(root(), "d", stopped.get_token()), Error);
}

class BuildContextTest : public StoreFixture {};

TEST_F(BuildContextTest, keeps_a_bound_and_leaves_nothing) {
  const std::string archive = tar({file("Dockerfile", "FROM x"), file("big", std::string(100'000, 'x'))});
  {
    BuildContext context(*store_);
    context.unpack(source(gzip(archive)), 1'000'000, {});
    EXPECT_EQ(context.take_dockerfile("./Dockerfile", {}), "FROM x");
    EXPECT_EQ(failure([&] { context.take_dockerfile("../Dockerfile", {}); }).error_class(),
              ErrorClass::kInvalidArgument);
    EXPECT_EQ(failure([&] { context.take_dockerfile("none", {}); }).message(),
              "Cannot locate specified Dockerfile: none");
    BuildContext bounded(*store_);
    EXPECT_EQ(failure([&] { bounded.unpack(source(gzip(archive)), 50'000, {}); }).error_class(),
              ErrorClass::kResourceExhausted);
  }
  expect_no_work();
}

TEST(BuildText, targets) {
  EXPECT_EQ(absolute_target("", "a"), "/a");
  EXPECT_EQ(absolute_target("/w", "./a/"), "/w/a/");
  EXPECT_EQ(absolute_target("/w", "."), "/w/");
  EXPECT_EQ(absolute_target("/w", "/x/../../y"), "/y");
  EXPECT_EQ(absolute_target("/w", "/"), "/");
  EXPECT_EQ(quoted_list({"a", "b \"c\""}), "[\"a\" \"b \\\"c\\\"\"]");
}

}  // namespace
}  // namespace quoll::mgr::fixture
