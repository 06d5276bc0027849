// Images made of a parent, a layer and a configuration.
#include "mgr/image/image_draft.hpp"

#include "mgr/image/image_store_fixture.hpp"
#include "mgr/image/store_pin.hpp"

namespace quoll::mgr::fixture {
namespace {

class ImageDraftTest : public StoreFixture {
 protected:
  static ImageDraft draft(std::string parent_id = "", std::string reference = "") {
    ImageDraft draft{std::move(parent_id),
                     {{"architecture", "amd64"}, {"os", "linux"}, {"config", {{"Cmd", {"sh"}}}}},
                     {{"created_by", "a test"}},
                     {}};
    if (!reference.empty()) draft.references.push_back(parse_reference(reference));
    return draft;
  }
};

TEST_F(ImageDraftTest, a_layer_is_put_on_top_of_its_parents) {
  load(docker_archive({small_image({"base:1"})}));
  const Image base = store_->get("base:1");
  const std::string layer = tar({file("etc/new", "12345")});
  const Image made = create_image(*store_, draft(base.id, "made:1"), source(layer), {});
  EXPECT_EQ(made.parent, base.id);
  EXPECT_EQ(made.diff_ids, (std::vector<std::string>{base.diff_ids[0], sha256_digest(layer)}));
  EXPECT_EQ(made.size, base.size + 5);
  EXPECT_EQ(made.repo_tags, std::vector<std::string>{"made:1"});
  const auto layers = store_->layer_directories(made.id);
  EXPECT_EQ(read_file(layers.at(0) / "etc/new", 100), "12345");
  EXPECT_EQ(made.config["history"].back(), nlohmann::json({{"created_by", "a test"}}));
  expect_no_work();
  open();  // what is on disk says the same
  EXPECT_EQ(store_->get("made:1").parent, base.id);
}

TEST_F(ImageDraftTest, a_compressed_layer_keeps_its_blob_and_has_the_plain_diff_id) {
  const std::string layer = tar({file("a", "b")});
  const Image made = create_image(*store_, draft("", "packed:1"), source(gzip(layer)), {});
  EXPECT_EQ(made.diff_ids, std::vector<std::string>{sha256_digest(layer)});
  EXPECT_EQ(store_->layers_of(made.id).at(0).blob, sha256_digest(gzip(layer)));
}

TEST_F(ImageDraftTest, no_layer_and_an_empty_one_change_the_configuration_alone) {
  load(docker_archive({small_image({"base:1"})}));
  const Image base = store_->get("base:1");
  const std::string nothing(1024, '\0');
  for (const ByteSource& layer : {ByteSource(), source(nothing)}) {
    const Image made = create_image(*store_, draft(base.id), layer, {});
    EXPECT_EQ(made.diff_ids, base.diff_ids);
    EXPECT_EQ(made.config["history"].back()["empty_layer"], true);
  }
  EXPECT_EQ(layer_count(), 1u);
}

// Such an image could not be read again.
TEST_F(ImageDraftTest, a_configuration_beyond_the_bound_is_refused) {
  ImageDraft large = draft();
  large.config["config"]["Labels"]["x"] = std::string(kMetadataMax, 'x');
  const Error error = failure([&] { create_image(*store_, std::move(large), {}, {}); });
  EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
  EXPECT_EQ(error.message(), "the image's configuration would be larger than 8388608 bytes");
  expect_nothing_left();
}

TEST_F(ImageDraftTest, after_a_failure_nothing_is_left) {
  std::stop_source stopped;
  stopped.request_stop();
  const std::string layer = tar({file("a", std::string(100'000, 'x'))});
  const std::string outside = tar({file("../a", "x")});
  EXPECT_EQ(failure([&] { create_image(*store_, draft(), source(layer), stopped.get_token()); }).error_class(),
            ErrorClass::kCancelled);
  EXPECT_EQ(failure([&] { create_image(*store_, draft(), source(outside), {}); }).error_class(),
            ErrorClass::kInvalidArgument);
  EXPECT_EQ(failure([&] { create_image(*store_, draft(sha256_digest("gone")), source(layer), {}); }).error_class(),
            ErrorClass::kNotFound);
  expect_nothing_left();
}

}  // namespace
}  // namespace quoll::mgr::fixture
