#include "mgr/image/image_store.hpp"

#include <sys/stat.h>

#include "mgr/image/digest.hpp"
#include "mgr/image/image_store_fixture.hpp"

namespace quoll::mgr {
namespace {

using namespace fixture;  // NOLINT(google-build-using-namespace): test vocabulary
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ImageStoreTest : public StoreFixture {};

// --- Loading ---------------------------------------------------------------------------------------------------------

TEST_F(ImageStoreTest, loads_a_docker_archive) {
  const ImageSpec spec = small_image({"busybox:latest", "busybox:1"});
  const LoadResult result = load(docker_archive({spec}));
  EXPECT_THAT(result.messages, ElementsAre("Loaded image: busybox:latest", "Loaded image: busybox:1"));
  EXPECT_THAT(result.image_ids, ElementsAre(spec.id()));

  const Image image = store_->get("busybox");
  EXPECT_EQ(image.id, spec.id());
  EXPECT_THAT(image.repo_tags, ElementsAre("busybox:1", "busybox:latest"));
  EXPECT_THAT(image.repo_digests, IsEmpty());
  EXPECT_THAT(image.diff_ids, ElementsAre(sha256_digest(spec.layers[0])));
  EXPECT_EQ(image.container_config()["Cmd"][0], "sh");
  EXPECT_EQ(image.size, 5);
  EXPECT_EQ(image.created, "2024-05-01T12:00:00Z");
  EXPECT_EQ(image.created_seconds, 1'714'564'800);
  EXPECT_EQ(image.architecture, "amd64");
  EXPECT_EQ(image.last_tagged, "1970-01-01T00:00:01.000000000Z");

  const auto layers = store_->layer_directories(image.id);
  ASSERT_THAT(layers, SizeIs(1));
  EXPECT_EQ(read_file(layers[0] / "bin/hello", 100), "hello");
  expect_no_work();
}

TEST_F(ImageStoreTest, loads_what_docker_25_saves) {
  EXPECT_THAT(load(docker_oci_archive(small_image({"busybox:latest"}))).messages,
              ElementsAre("Loaded image: busybox:latest"));
}

TEST_F(ImageStoreTest, loads_an_oci_layout_with_its_own_manifest) {
  OciLayout layout;
  auto descriptor = layout.image(small_image({}));
  descriptor["annotations"] = {{"io.containerd.image.name", "docker.io/library/busybox:1.36"}};
  layout.index["manifests"].push_back(descriptor);
  EXPECT_THAT(load(layout.finish()).messages, ElementsAre("Loaded image: busybox:1.36"));
  const std::string digest = descriptor["digest"];
  const Image image = store_->get("busybox@" + digest);
  EXPECT_EQ(image.manifest, digest);
  EXPECT_THAT(image.repo_digests, ElementsAre("busybox@" + digest));
  EXPECT_EQ(sha256_digest(read_file(root_ / "images/blobs/sha256" / digest_hex(digest), 10'000)), digest);
}

TEST_F(ImageStoreTest, every_compression_outside_and_inside) {
  for (const auto pack : {static_cast<std::string (*)(std::string_view)>(nullptr), &gzip, &zstd}) {
    for (const auto outer : {static_cast<std::string (*)(std::string_view)>(nullptr), &gzip, &zstd}) {
      for (const auto& archive : {&docker_oci_archive, &oci_archive}) {
        ImageSpec spec = small_image({"busybox:latest"});
        spec.pack = pack;
        const std::string bytes = archive(spec);
        load(outer == nullptr ? bytes : outer(bytes));
        EXPECT_EQ(store_->get("busybox").id, spec.id());
        store_->remove("busybox", {}, {});
        expect_nothing_left();
      }
    }
  }
}

TEST_F(ImageStoreTest, an_image_without_a_name_is_loaded_by_id) {
  const ImageSpec spec = small_image({});
  EXPECT_THAT(load(docker_archive({spec})).messages, ElementsAre("Loaded image ID: " + spec.id()));
  EXPECT_THAT(store_->get(spec.id()).repo_tags, IsEmpty());
}

TEST_F(ImageStoreTest, several_images_share_layers) {
  ImageSpec base = small_image({"base:1"}), child = small_image({"child:1"});
  child.layers.push_back(tar({file("extra", "more")}));
  EXPECT_THAT(load(docker_archive({base, child})).image_ids, ElementsAre(base.id(), child.id()));
  EXPECT_EQ(layer_count(), 2u);
  const auto layers = store_->layer_directories(child.id());
  ASSERT_THAT(layers, SizeIs(2));
  EXPECT_TRUE(path_exists(layers[0] / "extra"));  // the top comes first
  EXPECT_EQ(layers[1], store_->layer_directories(base.id())[0]);
  EXPECT_EQ(store_->get("child:1").size, 9);
}

TEST_F(ImageStoreTest, layers_that_are_links_to_another_images_layer) {
  const ImageSpec spec = small_image({"linked:1"});
  const auto archive = tar({file("aaa/layer.tar", spec.layers[0]), symlink("bbb/layer.tar", "../aaa/layer.tar"),
                            hard_link("ccc/layer.tar", "bbb/layer.tar"), file("config.json", spec.config()),
                            file("manifest.json", R"([{"Config":"config.json","RepoTags":["linked:1"],)"
                                                  R"("Layers":["ccc/layer.tar"]}])")});
  load(archive);
  EXPECT_EQ(store_->get("linked:1").id, spec.id());
}

TEST_F(ImageStoreTest, chooses_this_platform_in_nested_indexes) {
  ImageSpec arm = small_image({}, "arm"), amd = small_image({}, "amd");
  arm.architecture = "arm64";
  OciLayout layout;
  auto arm_descriptor = layout.image(arm), amd_descriptor = layout.image(amd);
  arm_descriptor["platform"] = {{"os", "linux"}, {"architecture", "arm64"}};
  amd_descriptor["platform"] = {{"os", "linux"}, {"architecture", "amd64"}};
  const nlohmann::json index = {{"manifests", {arm_descriptor, amd_descriptor}}};
  auto nested = layout.blob(index.dump(), "application/vnd.oci.image.index.v1+json");
  nested["annotations"] = {{"org.opencontainers.image.ref.name", "quay.io/x/multi:2"}};
  layout.index["manifests"].push_back(nested);
  EXPECT_THAT(load(layout.finish()).messages, ElementsAre("Loaded image: quay.io/x/multi:2"));
  EXPECT_EQ(store_->get("quay.io/x/multi:2").id, amd.id());
  EXPECT_EQ(store_->get("quay.io/x/multi@" + nested["digest"].get<std::string>()).id, amd.id());
}

TEST_F(ImageStoreTest, an_index_without_this_platform_is_not_found) {
  OciLayout layout;
  nlohmann::json index = {{"manifests", nlohmann::json::array()}};
  for (const char* architecture : {"arm64", "s390x"}) {
    auto descriptor = layout.image(small_image({}, architecture));
    descriptor["platform"] = {{"os", "linux"}, {"architecture", architecture}};
    index["manifests"].push_back(descriptor);
  }
  layout.index["manifests"].push_back(layout.blob(index.dump(), "application/vnd.oci.image.index.v1+json"));
  const Error error = load_failure(layout.finish());
  EXPECT_EQ(error.error_class(), ErrorClass::kNotFound);
  EXPECT_THAT(error.message(), HasSubstr("no matching manifest for linux/amd64"));
  expect_nothing_left();
}

TEST_F(ImageStoreTest, loading_again_changes_nothing) {
  const std::string archive = docker_archive({small_image({"busybox:latest"})});
  load(archive);
  const std::string before = read_file(root_ / "images/references.json", 1 << 20);
  EXPECT_THAT(load(archive).messages, ElementsAre("Loaded image: busybox:latest"));
  EXPECT_EQ(read_file(root_ / "images/references.json", 1 << 20), before);
  ImageSpec packed = small_image({"busybox:latest"});
  packed.pack = &gzip;
  load(docker_archive({packed}));
  EXPECT_EQ(read_file(root_ / "images/references.json", 1 << 20), before);
  EXPECT_EQ(blob_count(), 3u);
}

TEST_F(ImageStoreTest, a_tag_moves_to_the_newer_image) {
  const ImageSpec old_one = small_image({"app:1"}, "old"), new_one = small_image({"app:1"}, "new");
  load(docker_archive({old_one}));
  EXPECT_THAT(
      load(docker_archive({new_one})).messages,
      ElementsAre("The image app:1 already exists, renaming the old one with ID " + old_one.id() + " to empty string",
                  "Loaded image: app:1"));
  EXPECT_EQ(store_->get("app:1").id, new_one.id());
  EXPECT_THAT(store_->get(old_one.id()).repo_tags, IsEmpty());
  EXPECT_THAT(store_->list(), SizeIs(2));
}

TEST_F(ImageStoreTest, store_is_private_and_layers_roots_are_not) {
  load(docker_archive({small_image({"busybox:latest"})}));
  struct stat found{};
  for (const char* name : {"layers", "images"}) {
    ASSERT_EQ(::stat((root_ / name).c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0700u) << name;
  }
  ASSERT_EQ(::stat(store_->layer_directories(store_->get("busybox").id)[0].c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0755u);
}

// --- Looking up ------------------------------------------------------------------------------------------------------

TEST_F(ImageStoreTest, finds_by_every_way_to_say_it) {
  const ImageSpec spec = small_image({"localhost:5000/team/app:2"});
  load(docker_archive({spec}));
  const std::string hex = digest_hex(spec.id());
  for (const std::string& name : {std::string("localhost:5000/team/app:2"), spec.id(), hex, hex.substr(0, 12),
                                  hex.substr(0, 3), spec.id().substr(0, 20)}) {
    EXPECT_EQ(store_->get(name).id, spec.id()) << name;
  }
}

TEST_F(ImageStoreTest, says_no_such_image_as_docker_does) {
  const auto message = [&](const std::string& name) {
    const Error error = failure([&] { store_->get(name); });
    EXPECT_EQ(error.error_class(), ErrorClass::kNotFound) << name;
    return error.message();
  };
  EXPECT_EQ(message("x"), "No such image: x:latest");
  EXPECT_EQ(message("abc123"), "No such image: abc123:latest");
  EXPECT_EQ(message("docker.io/library/x:1"), "No such image: x:1");
  EXPECT_EQ(message(std::string(64, 'a')), "No such image: sha256:" + std::string(64, 'a'));
  const Error error = failure([&] { store_->get("UPPER:"); });
  EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
}

TEST(image_index, an_ambiguous_beginning_is_an_error) {
  ImageIndex index;
  const std::string tail(60, '0');
  index.images["sha256:abcd" + tail];
  index.images["sha256:abce" + tail];
  index.images["sha256:ab00" + tail].removed = true;
  EXPECT_EQ(index.resolve("abcd"), "sha256:abcd" + tail);
  EXPECT_EQ(index.resolve("sha256:abce"), "sha256:abce" + tail);
  try {
    index.resolve("abc");
    ADD_FAILURE() << "found one";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    EXPECT_EQ(error.message(), "multiple IDs found with provided prefix: abc");
  }
  EXPECT_THROW(index.resolve("ab00"), Error);
  index.images.erase("sha256:abce" + tail);
  EXPECT_EQ(index.resolve("ab"), "sha256:abcd" + tail);
}

TEST_F(ImageStoreTest, lists_the_newest_first) {
  ImageSpec older = small_image({"older:1"}, "a"), newer = small_image({"newer:1"}, "b");
  older.created = "2020-01-01T00:00:00+02:00";
  load(docker_archive({older, newer}));
  const auto images = store_->list();
  ASSERT_THAT(images, SizeIs(2));
  EXPECT_EQ(images[0].id, newer.id());
  EXPECT_EQ(images[1].created_seconds, 1'577'829'600);
}

TEST_F(ImageStoreTest, tags_an_image) {
  load(docker_archive({small_image({"busybox:latest"})}));
  store_->tag("busybox", "quay.io/mine/box");
  open();
  EXPECT_THAT(store_->get("quay.io/mine/box").repo_tags, ElementsAre("busybox:latest", "quay.io/mine/box:latest"));
  EXPECT_EQ(failure([&] { store_->tag("nope", "a:1"); }).error_class(), ErrorClass::kNotFound);
  EXPECT_EQ(failure([&] { store_->tag("busybox", "a b"); }).message(), "invalid reference format");
}

}  // namespace
}  // namespace quoll::mgr
