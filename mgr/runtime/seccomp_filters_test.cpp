#include "mgr/runtime/seccomp_filters.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace quoll::mgr {
namespace {

using nlohmann::json;

class SeccompFiltersTest : public ::testing::Test {
 protected:
  SeccompFiltersTest() : state_(::testing::TempDir() + "seccomp-filters-" + std::to_string(::getpid())) {}
  ~SeccompFiltersTest() override { std::filesystem::remove_all(state_); }

  // What crun leaves of container `id`.
  void leave(const std::string& id, const std::string& filter) {
    std::filesystem::create_directories(state_ + "/" + id);
    std::ofstream(state_ + "/" + id + "/seccomp.bpf") << filter;
  }
  static json spec_of(int profile) { return {{"linux", {{"seccomp", {{"defaultAction", profile}}}}}}; }

  const std::string state_;
  SeccompFilters filters_;
};

TEST_F(SeccompFiltersTest, a_profile_is_compiled_once) {
  json first = spec_of(1);
  const auto profile = filters_.annotate(first);
  ASSERT_TRUE(profile);
  EXPECT_FALSE(first.contains("annotations"));
  leave("a", "8 bytes.");
  filters_.learn(*profile, state_, "a");

  json second = spec_of(1);
  EXPECT_FALSE(filters_.annotate(second));
  EXPECT_EQ(second["annotations"]["run.oci.seccomp_bpf_data"], "OCBieXRlcy4=");
  EXPECT_EQ(second["linux"], spec_of(1)["linux"]);

  json other = spec_of(2);
  EXPECT_TRUE(filters_.annotate(other));
  EXPECT_FALSE(other.contains("annotations"));
}

TEST_F(SeccompFiltersTest, a_container_without_a_profile_has_nothing_to_learn) {
  json spec = {{"linux", json::object()}};
  EXPECT_FALSE(filters_.annotate(spec));
  EXPECT_FALSE(spec.contains("annotations"));
}

TEST_F(SeccompFiltersTest, what_is_no_filter_is_not_learnt) {
  json spec = spec_of(1);
  const std::string profile = *filters_.annotate(spec);
  filters_.learn(profile, state_, "gone");
  leave("empty", "");
  filters_.learn(profile, state_, "empty");
  leave("torn", "seven b");
  filters_.learn(profile, state_, "torn");
  EXPECT_TRUE(filters_.annotate(spec));
}

TEST_F(SeccompFiltersTest, the_oldest_profile_goes_first) {
  leave("a", "8 bytes.");
  for (int i = 0; i <= static_cast<int>(SeccompFilters::kProfilesMax); ++i) {
    json spec = spec_of(i);
    filters_.learn(*filters_.annotate(spec), state_, "a");
  }
  json oldest = spec_of(0);
  EXPECT_TRUE(filters_.annotate(oldest));
  json next = spec_of(1);
  EXPECT_FALSE(filters_.annotate(next));
}

}  // namespace
}  // namespace quoll::mgr
