#include "mgr/registry/layer_turns.hpp"

#include <gtest/gtest.h>

#include "task/event.hpp"
#include "task/testing.hpp"

namespace quoll::mgr {
namespace {

class LayerTurnsTest : public testing::Test {
 protected:
  static task::Task<void> work(LayerTurnsTest* test, std::string place, std::string layer) {
    const LayerTurns::Turn turn = co_await test->turns_.take(place, layer);
    test->had_.push_back(place + layer);
    co_await test->done_.wait();
  }
  void start(const std::string& place, const std::string& layer) {
    test_.spawn(scope_, "work", work(this, place, layer));
    test_.poll();
  }
  void finish_all() {
    done_.set();
    test_.poll();
    EXPECT_EQ(scope_.size(), 0u);
  }

  using Names = std::vector<std::string>;
  LayerTurns turns_{2};
  Names had_;  // in the order in which they got their turns
  task::Event done_;
  task::TestRuntime test_;
  task::Scope scope_{"test"};
};

TEST_F(LayerTurnsTest, a_layer_is_one_tasks_at_a_time_in_each_place) {
  start("a", "1");
  start("a", "1");
  start("b", "1");
  EXPECT_EQ(had_, (Names{"a1", "b1"}));
  finish_all();
  EXPECT_EQ(had_, (Names{"a1", "b1", "a1"}));
}

TEST_F(LayerTurnsTest, a_place_that_is_full_keeps_no_other_waiting) {
  for (const char* layer : {"1", "2", "3"}) start("a", layer);
  start("b", "3");
  EXPECT_EQ(had_, (Names{"a1", "a2", "b3"}));
  finish_all();
  EXPECT_EQ(had_, (Names{"a1", "a2", "b3", "a3"}));
}

TEST_F(LayerTurnsTest, a_layer_is_taken_while_somebody_has_it) {
  EXPECT_FALSE(turns_.is_taken("a", "1"));
  start("a", "1");
  EXPECT_TRUE(turns_.is_taken("a", "1"));
  EXPECT_FALSE(turns_.is_taken("a", "2"));
  EXPECT_FALSE(turns_.is_taken("b", "1"));
  finish_all();
  EXPECT_FALSE(turns_.is_taken("a", "1"));
}

TEST_F(LayerTurnsTest, who_is_cancelled_in_the_queue_holds_up_nobody) {
  start("a", "1");
  task::Scope gone("gone");
  test_.spawn(gone, "for the layer", work(this, "a", "1"));
  start("a", "2");
  test_.spawn(gone, "for a place", work(this, "a", "3"));
  start("a", "1");
  start("a", "4");
  gone.cancel(task::CancelReason::kClientGone);
  test_.poll();
  EXPECT_EQ(gone.size(), 0u);
  finish_all();
  EXPECT_EQ(had_, (Names{"a1", "a2", "a4", "a1"}));
}

}  // namespace
}  // namespace quoll::mgr
