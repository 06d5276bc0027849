#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgr/image/archive_fixture.hpp"
#include "mgr/image/digest.hpp"
#include "mgr/image/image_store.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using namespace fixture;  // NOLINT(google-build-using-namespace): test vocabulary
using testing::ElementsAre;
using testing::IsEmpty;

const std::string kContainer(64, 'c');

class ImageRemovalTest : public testing::Test {
 protected:
  void load(const std::string& archive) { store_->load(source(archive), {}); }
  void load(const ImageSpec& spec) { load(docker_archive({spec})); }

  // As "Untagged: x" and "Deleted: y".
  std::vector<std::string> remove(const std::string& name, RemoveOptions options = {},
                                  std::vector<ImageUser> users = {}) {
    std::vector<std::string> lines;
    for (const RemoveItem& item : store_->remove(name, options, [&users] { return users; }).items) {
      lines.push_back((item.kind == RemoveItem::Kind::kUntagged ? "Untagged: " : "Deleted: ") + item.name);
    }
    return lines;
  }

  std::string conflict(const std::string& name, RemoveOptions options = {}, std::vector<ImageUser> users = {}) {
    const auto before = store_->list().size();
    try {
      remove(name, options, users);
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kConflict);
      EXPECT_EQ(store_->list().size(), before);
      return error.message();
    }
    return "no conflict";
  }

  std::size_t count(const std::string& folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(root_ / folder), {}));
  }
  void expect_empty() {
    EXPECT_EQ(count("images/blobs/sha256"), 0u);
    EXPECT_EQ(count("layers"), 1u);  // its work directory
    EXPECT_EQ(count("layers/work"), 0u);
  }

  TestDirectory directory_;
  const std::filesystem::path root_ = directory_.path() / "root";
  std::unique_ptr<ImageStore> store_ = std::make_unique<ImageStore>(root_);
  const ImageSpec spec_ = small_image({"busybox:latest"});
  const std::string id_ = spec_.id();
  const std::string short_id_ = id_.substr(7, 12);
  const std::string layer_ = sha256_digest(spec_.layers[0]);
  const ImageUser running_{kContainer, id_, true};
  const ImageUser stopped_{kContainer, id_, false};
  const ImageUser other_{kContainer, "sha256:" + std::string(64, '0'), true};
};

TEST_F(ImageRemovalTest, the_last_reference_takes_the_image_with_it) {
  load(spec_);
  EXPECT_THAT(remove("busybox", {}, {other_}),
              ElementsAre("Untagged: busybox:latest", "Deleted: " + id_, "Deleted: " + layer_));
  EXPECT_THAT(store_->list(), IsEmpty());
  expect_empty();
}

TEST_F(ImageRemovalTest, one_of_several_references_is_only_untagged) {
  load(spec_);
  store_->tag("busybox", "quay.io/x/box:2");
  EXPECT_THAT(remove("busybox"), ElementsAre("Untagged: busybox:latest"));
  EXPECT_THAT(store_->get(id_).repo_tags, ElementsAre("quay.io/x/box:2"));
  EXPECT_THAT(remove("quay.io/x/box:2"),
              ElementsAre("Untagged: quay.io/x/box:2", "Deleted: " + id_, "Deleted: " + layer_));
}

TEST_F(ImageRemovalTest, by_id_with_several_repositories_must_be_forced) {
  load(spec_);
  store_->tag("busybox", "box:2");
  EXPECT_EQ(conflict(short_id_), "conflict: unable to delete " + short_id_ +
                                     " (must be forced) - image is referenced in multiple repositories");
  EXPECT_THAT(remove(id_, {.force = true}),
              ElementsAre("Untagged: box:2", "Untagged: busybox:latest", "Deleted: " + id_, "Deleted: " + layer_));
  expect_empty();
}

TEST_F(ImageRemovalTest, by_id_with_one_reference_deletes) {
  load(spec_);
  EXPECT_THAT(remove(short_id_), ElementsAre("Untagged: busybox:latest", "Deleted: " + id_, "Deleted: " + layer_));
}

TEST_F(ImageRemovalTest, an_unknown_name_is_not_found) {
  try {
    remove("nope");
    ADD_FAILURE() << "removed";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kNotFound);
    EXPECT_EQ(error.message(), "No such image: nope:latest");
  }
}

TEST_F(ImageRemovalTest, a_used_image_keeps_its_last_reference) {
  load(spec_);
  for (const ImageUser& user : {running_, stopped_}) {
    EXPECT_EQ(conflict("busybox", {}, {user}),
              "conflict: unable to remove repository reference \"busybox\" (must force) - "
              "container cccccccccccc is using its referenced image " +
                  short_id_);
  }
  store_->tag("busybox", "box:2");
  EXPECT_THAT(remove("box:2", {}, {running_}), ElementsAre("Untagged: box:2"));
}

TEST_F(ImageRemovalTest, by_id_a_used_image_says_by_whom) {
  load(spec_);
  EXPECT_EQ(conflict(id_, {}, {stopped_}),
            "conflict: unable to delete " + short_id_ +
                " (must be forced) - image is being used by stopped container cccccccccccc");
  EXPECT_EQ(conflict(id_, {.force = true}, {stopped_, running_}),
            "conflict: unable to delete " + short_id_ +
                " (cannot be forced) - image is being used by running container cccccccccccc");
}

TEST_F(ImageRemovalTest, force_on_a_running_containers_image_only_untags) {
  load(spec_);
  EXPECT_THAT(remove("busybox", {.force = true}, {running_}), ElementsAre("Untagged: busybox:latest"));
  EXPECT_THAT(store_->get(id_).repo_tags, IsEmpty());
  EXPECT_EQ(store_->layer_directories(id_).size(), 1u);
}

TEST_F(ImageRemovalTest, force_on_a_stopped_containers_image_keeps_the_layers_until_it_goes) {
  load(spec_);
  EXPECT_THAT(remove("busybox", {.force = true}, {stopped_}),
              ElementsAre("Untagged: busybox:latest", "Deleted: " + id_));
  EXPECT_THAT(store_->list(), IsEmpty());
  EXPECT_THROW(store_->get(id_), Error);

  store_.reset();
  store_ = std::make_unique<ImageStore>(root_);  // also over a restart
  EXPECT_THAT(store_->list(), IsEmpty());
  const auto layers = store_->layer_directories(id_);
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_TRUE(path_exists(layers[0] / "bin/hello"));

  store_->release_unused([this] { return std::vector{stopped_}; });
  EXPECT_TRUE(path_exists(layers[0]));
  store_->release_unused({});
  expect_empty();
  EXPECT_THROW(store_->layer_directories(id_), Error);
}

TEST_F(ImageRemovalTest, loading_again_brings_a_removed_image_back) {
  load(spec_);
  remove(id_, {.force = true}, {stopped_});
  load(spec_);
  EXPECT_THAT(store_->get("busybox").repo_tags, ElementsAre("busybox:latest"));
  store_->release_unused({});
  EXPECT_EQ(store_->list().size(), 1u);
}

TEST_F(ImageRemovalTest, shared_layers_stay_with_who_still_needs_them) {
  ImageSpec child = small_image({"child:1"});
  child.layers.push_back(tar({file("extra")}));
  load(docker_archive({spec_, child}));
  const std::string top = chain_id(layer_, sha256_digest(child.layers[1]));
  EXPECT_THAT(remove("busybox"), ElementsAre("Untagged: busybox:latest", "Deleted: " + id_));
  const auto layers = store_->layer_directories(child.id());
  EXPECT_TRUE(path_exists(layers[1] / "bin/hello"));
  EXPECT_TRUE(path_exists(root_ / "images/blobs/sha256" / digest_hex(layer_)));
  EXPECT_FALSE(path_exists(root_ / "images/blobs/sha256" / digest_hex(id_)));
  EXPECT_THAT(remove("child:1"),
              ElementsAre("Untagged: child:1", "Deleted: " + child.id(), "Deleted: " + top, "Deleted: " + layer_));
  expect_empty();
}

TEST_F(ImageRemovalTest, digests_go_with_the_repositorys_last_tag) {
  ImageSpec spec = small_image({"busybox:1"});
  load(oci_archive(spec));
  const std::string pinned = store_->get("busybox:1").repo_digests.at(0);
  EXPECT_THAT(remove("busybox:1"),
              ElementsAre("Untagged: busybox:1", "Untagged: " + pinned, "Deleted: " + id_, "Deleted: " + layer_));
  expect_empty();
}

TEST_F(ImageRemovalTest, a_tag_beside_its_digest_counts_as_one_reference) {
  load(oci_archive(small_image({"busybox:1"})));
  EXPECT_THAT(conflict("busybox:1", {}, {stopped_}), testing::HasSubstr("must force"));
  EXPECT_THAT(remove(id_), testing::SizeIs(4));
}

TEST_F(ImageRemovalTest, a_dangling_image_is_removed_by_id) {
  load(small_image({}));
  EXPECT_THAT(remove(short_id_), ElementsAre("Deleted: " + id_, "Deleted: " + layer_));
  expect_empty();
}

}  // namespace
}  // namespace quoll::mgr
