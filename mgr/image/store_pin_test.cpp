// What a pin holds stays, whatever is removed beside it; what only it held goes with it.
#include "mgr/image/store_pin.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "mgr/image/image_store_fixture.hpp"

namespace quoll::mgr::fixture {
namespace {

class StorePinTest : public StoreFixture {
 protected:
  // A layer's directory as put_layer() takes it.
  std::filesystem::path unpacked(const std::string& name) {
    const auto directory = root_ / "layers/work" / name;
    std::filesystem::create_directories(directory / "diff");
    write_text(directory / "diff/file", name);
    return directory;
  }
  static void write_text(const std::filesystem::path& path, const std::string& text) {
    const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
    write_all(fd.get(), text, path.string());
  }
};

TEST_F(StorePinTest, pinned_content_survives_the_removal_of_its_image) {
  const std::string archive = docker_archive({small_image({"a:1"})});
  load(archive);
  const Image image = store_->get("a:1");
  StorePin pin(*store_);
  EXPECT_TRUE(pin.hold_layer(image.chain_ids[0]).has_value());
  EXPECT_TRUE(pin.hold_blob(image.id));
  store_->remove("a:1", {}, {});
  EXPECT_EQ(layer_count(), 1u);
  EXPECT_EQ(blob_count(), 1u);  // the configuration; the manifest and the layer's blob were not pinned
  pin.release();
  expect_nothing_left();
}

TEST_F(StorePinTest, an_image_is_made_of_pinned_content) {
  const std::string layer_tar = tar({file("etc/hello", "x")});
  const std::string diff_id = sha256_digest(layer_tar);
  const std::string config =
      R"({"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[")" + diff_id + R"("]}})";
  {
    StorePin pin(*store_);
    EXPECT_FALSE(pin.hold_layer(diff_id).has_value());
    const std::string blob = pin.put_blob_text(layer_tar);
    pin.put_layer(diff_id, diff_id, 1, unpacked("one"));
    const std::string id = pin.put_blob_text(config);
    const std::string manifest = pin.put_blob_text("{}");
    const Image image =
        store_->add_image({id, manifest, {{diff_id, diff_id, blob, 1}}, {parse_reference("made:here")}});
    EXPECT_EQ(image.id, id);
    EXPECT_EQ(image.size, 1);
    EXPECT_EQ(image.repo_tags, std::vector<std::string>{"made:here"});
  }
  EXPECT_EQ(store_->layer_directories(store_->get("made:here").id).size(), 1u);
  store_->remove("made:here", {}, {});
  expect_nothing_left();
}

TEST_F(StorePinTest, content_that_no_image_names_goes_with_the_last_pin) {
  const std::string chain = sha256_digest("chain");
  StorePin second(*store_);
  {
    StorePin first(*store_);
    first.put_blob_text("blob");
    first.put_layer(chain, chain, 1, unpacked("one"));
    EXPECT_TRUE(second.hold_layer(chain).has_value());
  }
  EXPECT_EQ(blob_count(), 0u);
  EXPECT_EQ(layer_count(), 1u);
  second.put_layer(chain, chain, 1, unpacked("two"));  // there already: the directory is left to its owner
  std::filesystem::remove_all(root_ / "layers/work/two");
  second.release();
  expect_nothing_left();
}

TEST_F(StorePinTest, an_image_of_missing_content_is_refused) {
  StorePin pin(*store_);
  const std::string diff_id = sha256_digest("layer");
  const std::string id = pin.put_blob_text(R"({"rootfs":{"type":"layers","diff_ids":[")" + diff_id + R"("]}})");
  const std::string manifest = pin.put_blob_text("{}");
  EXPECT_EQ(failure([&] { store_->add_image({id, manifest, {{diff_id, diff_id, manifest, 1}}, {}}); }).error_class(),
            ErrorClass::kInternal);
  EXPECT_EQ(failure([&] { store_->add_image({id, manifest, {}, {}}); }).error_class(), ErrorClass::kInvalidArgument);
  EXPECT_TRUE(store_->list().empty());
}

}  // namespace
}  // namespace quoll::mgr::fixture
