// Layers that the disk did not have when the kernel ended: what a store makes of what is left.
#include <fstream>

#include "mgr/image/image_store_fixture.hpp"

namespace quoll::mgr {
namespace {

using fixture::docker_archive;
using fixture::file;
using fixture::ImageSpec;
using fixture::small_image;
using fixture::tar;
using testing::IsEmpty;
using testing::SizeIs;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

class LayerFlushTest : public fixture::StoreFixture {
 protected:
  LayerFlushTest() {
    ImageSpec spec = small_image({"it:1"});
    spec.layers = {tar({file("base", "base")}), tar({file("top", "top")})};
    spec.pack = fixture::gzip;
    image_ = spec.id();
    load(docker_archive({spec}));
  }

  // The disk as it is at this moment, with a file of each layer cut off where `torn`.
  std::filesystem::path disk(bool torn) {
    const auto copy = directory_.path() / ("disk-" + std::to_string(++disks_));
    std::filesystem::copy(root_, copy, std::filesystem::copy_options::recursive);
    for (const auto& each : std::filesystem::recursive_directory_iterator(copy / "layers")) {
      const auto name = each.path().filename();
      if (torn && (name == "base" || name == "top")) std::filesystem::resize_file(each.path(), 1);
    }
    return copy;
  }

  // What the image's layers hold, base first.
  std::vector<std::string> contents(const ImageStore& store) {
    const auto directories = store.layer_directories(image_);
    EXPECT_THAT(directories, SizeIs(2));
    return {content_of(directories[1] / "base"), content_of(directories[0] / "top")};
  }

  std::string image_;
  int disks_ = 0;
};

const ImageStoreOptions kAnotherBoot{.boot_id = "another"};

TEST_F(LayerFlushTest, layers_that_were_not_flushed_are_unpacked_again_after_a_crash_of_the_kernel) {
  const auto after = disk(true);
  ImageStore store(after, kAnotherBoot);
  EXPECT_THAT(store.damaged(), IsEmpty());
  EXPECT_THAT(contents(store), testing::ElementsAre("base", "top"));
  EXPECT_THAT(names_in(after / "layers/work"), IsEmpty());
  EXPECT_EQ(content_of(after / "images/references.json").find("unflushed"), std::string::npos);
}

TEST_F(LayerFlushTest, layers_that_did_not_reach_the_disk_at_all_too) {
  const auto after = disk(false);
  for (const std::string& name : names_in(after / "layers")) std::filesystem::remove_all(after / "layers" / name);
  ImageStore store(after, kAnotherBoot);
  EXPECT_THAT(contents(store), testing::ElementsAre("base", "top"));
}

TEST_F(LayerFlushTest, after_the_daemons_crash_alone_they_are_as_they_were) {
  const auto after = disk(true);
  bool told = false;
  ImageStoreOptions options;
  options.on_unflushed = [&] { told = true; };
  ImageStore store(after, options);
  // The copy is torn on purpose, so as to see that nobody has unpacked anything.
  EXPECT_THAT(contents(store), testing::ElementsAre("b", "t"));
  EXPECT_TRUE(told);
}

TEST_F(LayerFlushTest, once_flushed_they_are_left_alone) {
  EXPECT_NE(content_of(root_ / "images/references.json").find("unflushed"), std::string::npos);
  store_->flush_layers();
  EXPECT_EQ(content_of(root_ / "images/references.json").find("unflushed"), std::string::npos);
  ImageStore store(disk(true), kAnotherBoot);
  EXPECT_THAT(contents(store), testing::ElementsAre("b", "t"));
}

TEST_F(LayerFlushTest, the_stores_end_flushes) {
  store_.reset();
  EXPECT_EQ(content_of(root_ / "images/references.json").find("unflushed"), std::string::npos);
}

TEST_F(LayerFlushTest, a_layer_whose_blob_is_gone_too_makes_its_image_damaged) {
  const auto after = disk(true);
  const std::string blob = store_->layers_of(image_)[1].blob;
  std::filesystem::remove(after / "images/blobs/sha256" / blob.substr(7));
  ImageStore store(after, kAnotherBoot);
  EXPECT_THAT(store.damaged(), testing::ElementsAre(image_));
  EXPECT_THAT(store.list(), IsEmpty());
}

TEST_F(LayerFlushTest, removed_images_leave_nothing_to_flush) {
  store_->remove("it:1", {}, {});
  EXPECT_EQ(content_of(root_ / "images/references.json").find("unflushed"), std::string::npos);
  store_->flush_layers();
  expect_nothing_left();
}

}  // namespace
}  // namespace quoll::mgr
