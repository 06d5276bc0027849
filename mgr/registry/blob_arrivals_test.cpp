#include "mgr/registry/blob_arrivals.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "task/error.hpp"
#include "task/event.hpp"
#include "task/testing.hpp"

namespace quoll::mgr {
namespace {

class BlobArrivalsTest : public testing::Test {
 protected:
  // A fetch that ends when it is told to, and fails where that is said.
  struct Download {
    task::Event end;
    bool fails = false;
    std::optional<bool> brought;  // what bring() returned
    std::string error;
  };

  static task::Task<void> fetch(Download* download) {
    co_await download->end.wait();
    if (download->fails) throw Error(ErrorClass::kUnavailable, "broken");
  }
  static task::Task<void> bring(BlobArrivals* arrivals, std::string blob, Download* download) {
    try {
      download->brought = co_await arrivals->bring(blob, fetch(download));
    } catch (const Error& error) {
      download->error = error.message();
    }
  }
  void start(const std::string& blob, Download& download) {
    test_.spawn(scope_, "bring", bring(&arrivals_, blob, &download));
    test_.poll();
  }
  void finish(Download& download) {
    download.end.set();
    test_.poll();
  }

  BlobArrivals arrivals_;
  Download first_, second_, other_;
  task::TestRuntime test_;
  task::Scope scope_{"test"};
};

TEST_F(BlobArrivalsTest, who_has_the_blob_ends_those_who_fetch_the_same) {
  start("a", first_);
  start("a", second_);
  start("b", other_);
  finish(second_);
  EXPECT_EQ(second_.brought, true);
  EXPECT_EQ(first_.brought, false);
  EXPECT_EQ(other_.brought, std::nullopt);
  finish(other_);
  EXPECT_EQ(other_.brought, true);
}

TEST_F(BlobArrivalsTest, who_fails_ends_nobody) {
  start("a", first_);
  start("a", second_);
  first_.fails = true;
  finish(first_);
  EXPECT_EQ(first_.error, "broken");
  EXPECT_EQ(second_.brought, std::nullopt);
  finish(second_);
  EXPECT_EQ(second_.brought, true);
}

// Both are woken in one turn of the worker, the winner first.
TEST_F(BlobArrivalsTest, a_failure_that_comes_too_late_is_none) {
  start("a", first_);
  start("a", second_);
  second_.fails = true;
  first_.end.set();
  second_.end.set();
  test_.poll();
  EXPECT_EQ(first_.brought, true);
  EXPECT_EQ(second_.brought, false);
  EXPECT_EQ(second_.error, "");
}

TEST_F(BlobArrivalsTest, a_cancel_is_none_of_its_own) {
  start("a", first_);
  task::Scope gone("gone");
  test_.spawn(gone, "bring", bring(&arrivals_, "a", &second_));
  test_.poll();
  gone.cancel(task::CancelReason::kClientGone);
  test_.poll();
  EXPECT_EQ(gone.size(), 0u);
  EXPECT_EQ(second_.brought, std::nullopt);
  EXPECT_EQ(first_.brought, std::nullopt);
  finish(first_);
  EXPECT_EQ(first_.brought, true);
}

}  // namespace
}  // namespace quoll::mgr
