#include "mgr/registry/shared_pulls.hpp"

#include "mgr/image/image_store_fixture.hpp"
#include "mgr/registry/registry_fixture.hpp"
#include "task/testing.hpp"

namespace quoll::mgr {
namespace {

using fixture::file;
using fixture::ImageSpec;
using fixture::small_image;
using fixture::tar;

task::Task<void> ignore_lines(std::string_view) { co_return; }

class SharedPullsTest : public fixture::StoreFixture {
 protected:
  SharedPullsTest() {
    spec_ = small_image({});
    spec_.layers = {tar({file("base", std::string(100'000, 'b'))}), tar({file("top", "top")})};
    spec_.pack = fixture::zstd;  // the same bytes each time
  }

  PullMeans means() { return {hosts_, *store_, downloads_, unpacks_, arrivals_, 1 << 30}; }
  static PullRequest request(const std::string& name) { return {.reference = parse_reference(name)}; }

  static task::Task<void> pull(SharedPulls* pulls, PullRequest request, std::optional<PulledImage>* image) {
    *image = co_await pulls->pull(std::move(request), ignore_lines);
  }

  static task::Task<void> pull_and_fail(SharedPulls* pulls, PullRequest request, std::vector<std::string>* messages) {
    try {
      co_await pulls->pull(std::move(request), ignore_lines);
    } catch (const Error& error) {
      messages->push_back(error.message());
    }
  }

  // Runs both at once, to the end of both.
  void run_both(task::Task<void> one, task::Task<void> two) {
    task::Scope scope("test");
    test_.spawn(scope, "first", std::move(one));
    test_.spawn(scope, "second", std::move(two));
    while (scope.size() > 0) {
      if (!test_.worker().run_one_for(test_.patience())) throw std::runtime_error("the pulls do not end");
    }
  }
  std::pair<PulledImage, PulledImage> pull_both(const std::string& one, const std::string& two) {
    SharedPulls pulls(means());
    std::optional<PulledImage> first;
    std::optional<PulledImage> second;
    run_both(pull(&pulls, request(one), &first), pull(&pulls, request(two), &second));
    return {first.value(), second.value()};
  }

  fixture::LoopbackRegistry registry_;
  ImageSpec spec_;
  RegistryHosts hosts_{RegistryOptions{.proxies = {}}};
  LayerTurns downloads_{3};
  LayerTurns unpacks_{3};
  BlobArrivals arrivals_;
  task::TestRuntime test_;
};

TEST_F(SharedPullsTest, two_that_want_the_same_share_one_pull) {
  const std::string name = registry_.add("x", spec_);
  const auto [first, second] = pull_both(name, name);
  EXPECT_EQ(first.id, spec_.id());
  EXPECT_EQ(second.id, first.id);
  EXPECT_EQ(registry_.count("/manifests/"), 1);
  EXPECT_EQ(registry_.count(sha256_digest(spec_.packed(0))), 1);
}

TEST_F(SharedPullsTest, two_images_fetch_the_layer_that_they_share_once) {
  ImageSpec other = spec_;
  other.layers[1] = tar({file("other", "other")});
  const std::string one = registry_.add("one", spec_);
  const std::string two = registry_.add("two", other);
  const auto [first, second] = pull_both(one, two);
  EXPECT_EQ(first.id, spec_.id());
  EXPECT_EQ(second.id, other.id());
  EXPECT_EQ(registry_.count(sha256_digest(spec_.packed(0))), 1);
  EXPECT_EQ(layer_count(), 3u);
}

TEST_F(SharedPullsTest, cancelled_anywhere_it_leaves_the_whole_image_or_nothing) {
  const std::string name = registry_.add("x", spec_);
  SharedPulls pulls(means());
  int whole = 0;
  std::optional<PulledImage> image;
  const auto make = [&] { return pull(&pulls, request(name), &image); };
  const int suspensions = task::cancel_at_every_await(test_, make, [&] {
    expect_no_work();
    for (const Image& each : store_->list()) {
      ++whole;
      EXPECT_EQ(each.id, spec_.id());
      EXPECT_EQ(layer_count(), 2u);
      store_->remove(each.id, {.force = true}, {});
    }
    expect_nothing_left();
  });
  EXPECT_GT(suspensions, 20);
  EXPECT_GE(whole, 1);
}

TEST_F(SharedPullsTest, a_failure_is_each_clients) {
  SharedPulls pulls(means());
  const std::string name = registry_.add("x", spec_);
  const std::string missing = name.substr(0, name.find('/')) + "/no/such:1";
  std::vector<std::string> messages;
  run_both(pull_and_fail(&pulls, request(missing), &messages), pull_and_fail(&pulls, request(missing), &messages));
  EXPECT_EQ(messages, std::vector<std::string>(2, "manifest for " + missing + " not found: not found"));
  expect_nothing_left();
}

}  // namespace
}  // namespace quoll::mgr
