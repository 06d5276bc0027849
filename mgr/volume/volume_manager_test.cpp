#include "mgr/volume/volume_manager.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "mgr/image/durable_file.hpp"
#include "mgr/store/schema.hpp"
#include "mgr/volume/directory_size.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

class VolumeManagerTest : public ::testing::Test {
 protected:
  VolumeManagerTest() : directory_("/tmp") { open(); }

  // As a daemon that starts does.
  void open() {
    manager_.reset();
    store_.reset();
    database_.reset();
    database_ = Database::open(root() + "/state.db", state_schema());
    store_ = std::make_unique<VolumeStore>(*database_);
    manager_ = std::make_unique<VolumeManager>(root(), *store_, events_);
    manager_->open();
  }
  std::string root() const { return directory_.path().string(); }
  static void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

  template <typename F>
  static std::string error_of(F call) {
    try {
      call();
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }

  const TemporaryDirectory directory_;
  EventBus events_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<VolumeStore> store_;
  std::unique_ptr<VolumeManager> manager_;
};

TEST_F(VolumeManagerTest, a_volume_outlives_the_daemon) {
  const auto made = manager_->create({.name = "data", .driver = "local", .options = {}, .labels = {{"a", "b"}}});
  EXPECT_EQ(made->mountpoint, root() + "/volumes/data/_data");
  write(made->mountpoint + "/file", "kept");
  open();
  const auto found = manager_->get("data");
  EXPECT_EQ(found->labels, made->labels);
  EXPECT_EQ(found->created_ns, made->created_ns);
  EXPECT_EQ(read_file(found->mountpoint + "/file", 10), "kept");
}

TEST_F(VolumeManagerTest, the_same_name_gives_the_same_volume) {
  const auto first = manager_->create({.name = "data"});
  EXPECT_EQ(manager_->create({.name = "data", .labels = {{"x", "y"}}}), first);
  EXPECT_EQ(manager_->list().size(), 1u);
}

TEST_F(VolumeManagerTest, one_without_a_name_is_anonymous) {
  const auto volume = manager_->create({});
  EXPECT_EQ(volume->name.size(), 64u);
  EXPECT_TRUE(volume->is_anonymous());
  EXPECT_FALSE(manager_->create({.name = "named"})->is_anonymous());
}

TEST_F(VolumeManagerTest, one_in_use_stays) {
  manager_->hold({.name = "data"}, "c1");
  manager_->hold({.name = "data"}, "c2");
  EXPECT_EQ(error_of([&] { manager_->remove("data", true); }), "remove data: volume is in use - [c1, c2]");
  manager_->release("c1", true);
  EXPECT_TRUE(manager_->is_in_use("data"));
  EXPECT_TRUE(manager_->prune([](const Volume&) { return true; }, {}).names.empty());
  manager_->release("c2", true);
  EXPECT_FALSE(manager_->is_in_use("data"));
  manager_->remove("data", false);
  EXPECT_FALSE(std::filesystem::exists(root() + "/volumes/data"));
  EXPECT_EQ(error_of([&] { manager_->remove("data", false); }), "get data: no such volume");
  manager_->remove("data", true);
}

TEST_F(VolumeManagerTest, the_last_container_takes_its_anonymous_volumes_along_if_asked) {
  const auto kept = manager_->hold({}, "c1");
  const auto gone = manager_->hold({}, "c2");
  manager_->hold({.name = gone->name}, "c3");
  manager_->release("c1", false);
  manager_->release("c2", true);
  EXPECT_EQ(manager_->list().size(), 2u);
  manager_->release("c3", true);
  ASSERT_EQ(manager_->list().size(), 1u);
  EXPECT_EQ(manager_->list()[0], kept);
}

TEST_F(VolumeManagerTest, prune_tells_what_it_freed) {
  const auto volume = manager_->create({.name = "big"});
  write(volume->mountpoint + "/file", std::string(1000, 'x'));
  std::filesystem::create_hard_link(volume->mountpoint + "/file", volume->mountpoint + "/again");
  EXPECT_EQ(manager_->usage({})[0].bytes, 1000);
  manager_->create({.name = "other"});
  const VolumePruneResult pruned = manager_->prune([](const Volume& v) { return v.name == "big"; }, {});
  EXPECT_EQ(pruned.names, std::vector<std::string>{"big"});
  EXPECT_EQ(pruned.bytes, 1000);
  EXPECT_EQ(manager_->list().size(), 1u);
}

TEST_F(VolumeManagerTest, a_removal_that_was_cut_short_is_finished_at_the_next_start) {
  const auto volume = manager_->create({.name = "data"});
  write(volume->mountpoint + "/file", "x");
  std::filesystem::rename(root() + "/volumes/data", root() + "/volumes/.removed-data");
  open();
  EXPECT_TRUE(manager_->list().empty());
  EXPECT_TRUE(std::filesystem::is_empty(root() + "/volumes"));
}

TEST_F(VolumeManagerTest, data_without_a_record_is_never_emptied) {
  std::filesystem::create_directories(root() + "/volumes/data/_data");
  write(root() + "/volumes/data/_data/file", "kept");
  open();
  EXPECT_EQ(read_file(manager_->create({.name = "data"})->mountpoint + "/file", 10), "kept");
}

TEST_F(VolumeManagerTest, bind_options_name_another_directory) {
  const VolumeRequest request{
      .name = "bound", .driver = "", .options = {{"type", "none"}, {"o", "bind,ro"}, {"device", "/srv"}}, .labels = {}};
  manager_->create(request);
  open();
  EXPECT_EQ(manager_->get("bound")->data(), "/srv");
  EXPECT_TRUE(manager_->get("bound")->read_only);
}

TEST_F(VolumeManagerTest, what_is_wrong_is_refused_by_name) {
  using Options = std::map<std::string, std::string>;
  const auto refusal = [&](const std::string& name, const std::string& driver, const Options& options) {
    return error_of([&] { manager_->create({.name = name, .driver = driver, .options = options, .labels = {}}); });
  };
  EXPECT_NE(refusal("a", "", {}).find("too short"), std::string::npos);
  EXPECT_NE(refusal("../x", "", {}).find("includes invalid characters"), std::string::npos);
  EXPECT_NE(refusal("a/b", "", {}).find("includes invalid characters"), std::string::npos);
  EXPECT_NE(refusal("ok", "nfs", {}).find("plugin \"nfs\" not found"), std::string::npos);
  EXPECT_EQ(refusal("ok", "", {{"colour", "red"}}), "invalid option: \"colour\"");
  EXPECT_EQ(refusal("ok", "", {{"type", "nfs"}, {"device", ":/x"}}), "volume option \"type=nfs\" is not supported");
  EXPECT_EQ(refusal("ok", "", {{"type", "tmpfs"}, {"device", "tmpfs"}}),
            "volume option \"type=tmpfs\" is not supported");
  EXPECT_EQ(refusal("ok", "", {{"type", "none"}, {"o", "bind"}}), "missing device in volume options");
  EXPECT_NE(refusal("ok", "", {{"o", "bind"}, {"device", "relative"}}).find("absolute"), std::string::npos);
  EXPECT_TRUE(manager_->list().empty());
  EXPECT_TRUE(std::filesystem::is_empty(root() + "/volumes"));
}

}  // namespace
}  // namespace quoll::mgr
