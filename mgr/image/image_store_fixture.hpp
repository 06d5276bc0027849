// For tests: a store in a directory of its own, and what must be left in it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "mgr/image/archive_fixture.hpp"
#include "mgr/image/image_store.hpp"
#include "task/error.hpp"

namespace quoll::mgr::fixture {

class StoreFixture : public testing::Test {
 protected:
  StoreFixture() { open(); }

  void open() {
    store_.reset();
    store_ = std::make_unique<ImageStore>(
        root_, ImageStoreOptions{.platform = {"linux", "amd64", ""},
                                 .now = [] { return std::chrono::system_clock::time_point(std::chrono::seconds(1)); }});
  }

  LoadResult load(const std::string& archive) { return store_->load(source(archive), {}); }

  template <typename Call>
  static Error failure(Call&& call) {
    try {
      call();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ErrorClass::kInternal, "no error"};
  }

  Error load_failure(const std::string& archive) {
    return failure([&] { load(archive); });
  }

  static std::vector<std::string> names_in(const std::filesystem::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
    return names;
  }

  std::size_t blob_count() { return names_in(root_ / "images/blobs/sha256").size(); }
  std::size_t layer_count() { return names_in(root_ / "layers").size() - 1; }  // without the work directory

  // Nothing but what the images of the store need.
  void expect_nothing_left() {
    EXPECT_EQ(blob_count(), 0u);
    EXPECT_EQ(layer_count(), 0u);
    expect_no_work();
  }
  void expect_no_work() {
    EXPECT_THAT(names_in(root_ / "images/work"), testing::IsEmpty());
    EXPECT_THAT(names_in(root_ / "layers/work"), testing::IsEmpty());
  }

  TestDirectory directory_;
  const std::filesystem::path root_ = directory_.path() / "root";
  std::unique_ptr<ImageStore> store_;
};

}  // namespace quoll::mgr::fixture
