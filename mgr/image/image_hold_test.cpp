// The images of builds: found again by what they were made by, held while a build goes on, pruned as mere steps.
#include "mgr/image/image_hold.hpp"

#include "mgr/image/image_draft.hpp"
#include "mgr/image/image_store_fixture.hpp"

namespace quoll::mgr::fixture {
namespace {

class ImageHoldTest : public StoreFixture {
 protected:
  Image step(const std::string& parent, const std::string& name, ImageHold* hold = nullptr) {
    ImageDraft draft{
        parent,
        {{"architecture", "amd64"}, {"os", "linux"}, {"created", "2024-01-01T00:00:00Z"}, {"author", name}},
        {{"created_by", name}},
        {}};
    draft.build = BuildRole::kStep;
    draft.hold = hold;
    return create_image(*store_, std::move(draft), source(tar({file("etc/" + name, name)})), {});
  }
  std::vector<std::string> prune() {
    std::vector<std::string> ids;
    const auto all = [](const Image&) { return true; };
    for (const RemoveItem& item : store_->prune_build_steps(all, {}, {}).items) ids.push_back(item.name);
    return ids;
  }
  static auto is_named(const std::string& name) {
    return [name](const Image& image) { return json_string(image.config, "author") == name; };
  }
};

TEST_F(ImageHoldTest, steps_are_found_below_their_parents_also_by_the_next_daemon) {
  load(docker_archive({small_image({"base:1"})}));
  const std::string base = store_->get("base:1").id;
  const Image one = step(base, "one");
  open();
  ImageHold hold(*store_);
  EXPECT_EQ(hold.take_built(base, is_named("one")).value().id, one.id);
  EXPECT_FALSE(hold.take_built(base, is_named("two")));
  EXPECT_FALSE(hold.take_built("", is_named("one")));
  EXPECT_EQ(store_->get(one.id).build, BuildRole::kStep);
  // What was not built here is no step, whatever it says.
  EXPECT_FALSE(hold.take_built("", [](const Image&) { return true; }));
}

TEST_F(ImageHoldTest, prune_takes_steps_that_nothing_stands_on) {
  load(docker_archive({small_image({"base:1"})}));
  const std::string base = store_->get("base:1").id;
  const Image one = step(base, "one");
  const Image two = step(one.id, "two");
  const Image result = step(one.id, "result");
  store_->finish_build(result.id, {});
  EXPECT_THAT(prune(), testing::Contains(two.id));
  EXPECT_EQ(store_->get(result.id).build, BuildRole::kResult);
  EXPECT_EQ(store_->get(one.id).id, one.id);
  EXPECT_THAT(prune(), testing::IsEmpty());
  // With what stands on it, a step goes at last.
  store_->remove(result.id, {.noprune = true}, {});
  EXPECT_THAT(prune(), testing::Contains(one.id));
  store_->remove("base:1", {}, {});
  expect_nothing_left();
}

TEST_F(ImageHoldTest, what_is_held_is_not_removed) {
  load(docker_archive({small_image({"base:1"})}));
  const std::string base = store_->get("base:1").id;
  std::string id;
  {
    ImageHold hold(*store_);
    ImageHold another(*store_);
    id = step(base, "one", &hold).id;
    another.take(id);
    EXPECT_THAT(prune(), testing::IsEmpty());
    hold.release();
    EXPECT_THAT(prune(), testing::IsEmpty());
    EXPECT_EQ(failure([&] { store_->remove(id, {.force = true}, {}); }).error_class(), ErrorClass::kConflict);
  }
  EXPECT_THAT(prune(), testing::Contains(id));
}

TEST_F(ImageHoldTest, a_result_gets_its_references) {
  const Image made = step("", "one");
  EXPECT_EQ(store_->finish_build(made.id, {parse_reference("a"), parse_reference("b:2")}).repo_tags,
            (std::vector<std::string>{"a:latest", "b:2"}));
  open();
  EXPECT_EQ(store_->get("b:2").build, BuildRole::kResult);
  EXPECT_EQ(failure([&] { store_->finish_build(sha256_digest("gone"), {}); }).error_class(), ErrorClass::kNotFound);
}

}  // namespace
}  // namespace quoll::mgr::fixture
