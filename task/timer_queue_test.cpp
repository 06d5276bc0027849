#include "task/timer_queue.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace quoll::task {
namespace {

struct Node final : TimerNode {
  std::function<void()> on_fire;
  void fire() override { on_fire(); }
};

TEST(timer_queue, fires_what_is_due_in_the_order_of_deadlines) {
  TimerQueue queue;
  std::vector<std::int64_t> fired;
  std::deque<Node> nodes(5);
  for (const std::int64_t deadline : {30, 10, 50, 20, 40}) {
    Node& node = nodes[deadline / 10 - 1];
    node.on_fire = [&fired, &node] { fired.push_back(node.deadline_ns()); };
    queue.arm(node, deadline);
  }
  EXPECT_EQ(queue.next_deadline_ns(), 10);
  queue.fire_due(35);
  EXPECT_EQ(fired, (std::vector<std::int64_t>{10, 20, 30}));
  EXPECT_FALSE(nodes[0].armed());
  EXPECT_TRUE(nodes[4].armed());
  queue.fire_due(50);
  EXPECT_TRUE(queue.empty());
}

TEST(timer_queue, a_node_may_arm_and_disarm_nodes_as_it_fires) {
  TimerQueue queue;
  Node again, other, doomed;
  int fired = 0;
  again.on_fire = [&] {
    if (++fired < 3) queue.arm(again, 10 + fired);
    queue.disarm(doomed);
  };
  doomed.on_fire = [] { FAIL() << "was disarmed"; };
  other.on_fire = [&] { fired += 100; };
  queue.arm(again, 10);
  queue.arm(doomed, 11);
  queue.arm(other, 12);
  queue.fire_due(100);
  EXPECT_EQ(fired, 103);
  EXPECT_TRUE(queue.empty());
}

TEST(timer_queue, disarming_twice_has_no_effect) {
  TimerQueue queue;
  Node node;
  queue.arm(node, 1);
  queue.disarm(node);
  queue.disarm(node);
  EXPECT_TRUE(queue.empty());
}

// Method: random arms, disarms and firings beside a sorted map that must agree.
TEST(timer_queue, agrees_with_a_sorted_map_in_random_use) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  TimerQueue queue;
  std::deque<Node> nodes(64);
  std::set<std::pair<std::int64_t, Node*>> model;
  std::vector<std::int64_t> fired;
  for (Node& node : nodes) {
    node.on_fire = [&fired, &node] { fired.push_back(node.deadline_ns()); };
  }
  std::int64_t now = 0;
  for (int step = 0; step < 20'000; ++step) {
    Node& node = nodes[random() % nodes.size()];
    if (node.armed()) {
      ASSERT_EQ(model.erase({node.deadline_ns(), &node}), 1u);
      queue.disarm(node);
    } else {
      const std::int64_t deadline = now + static_cast<std::int64_t>(random() % 100);
      queue.arm(node, deadline);
      model.emplace(deadline, &node);
    }
    if (random() % 4 == 0) {
      now += static_cast<std::int64_t>(random() % 20);
      fired.clear();
      queue.fire_due(now);
      std::vector<std::int64_t> expected;
      while (!model.empty() && model.begin()->first <= now) {
        expected.push_back(model.begin()->first);
        model.erase(model.begin());
      }
      ASSERT_EQ(fired, expected);
    }
    ASSERT_EQ(queue.empty(), model.empty());
    if (!model.empty()) ASSERT_EQ(queue.next_deadline_ns(), model.begin()->first);
  }
  while (!queue.empty()) queue.fire_due(queue.next_deadline_ns());
}

}  // namespace
}  // namespace quoll::task
