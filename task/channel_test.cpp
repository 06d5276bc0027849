#include "task/channel.hpp"

#include <gtest/gtest.h>

#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

Task<void> send_all(Sender<int> out, int count, std::vector<bool>* outcomes = nullptr) {
  for (int i = 0; i < count; ++i) {
    const bool sent = co_await out.send(i);
    if (outcomes != nullptr) outcomes->push_back(sent);
  }
}

Task<void> receive_all(Receiver<int> in, std::vector<int>* values) {
  while (auto value = co_await in.receive()) values->push_back(*value);
}

Task<void> receive_one(Receiver<int>& in, std::optional<int>* value, bool* done) {
  *value = co_await in.receive();
  *done = true;
}

TEST(channel, carries_values_in_order_and_ends_with_its_last_sender) {
  TestRuntime test;
  for (const std::size_t capacity : {0, 1, 2, 1000}) {
    auto [sender, receiver] = make_channel<int>(capacity);
    Scope scope("test");
    std::vector<int> values;
    test.spawn(scope, "send", send_all(std::move(sender), 100));
    test.run(receive_all(std::move(receiver), &values));
    ASSERT_EQ(values.size(), 100u);
    EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
    EXPECT_EQ(scope.size(), 0u);
  }
}

TEST(channel, a_full_channel_holds_its_sender_in_chan_send) {
  TestRuntime test;
  auto [sender, receiver] = make_channel<int>(2);
  Scope scope("test");
  std::vector<bool> sent;
  test.spawn(scope, "send", send_all(std::move(sender), 3, &sent));
  test.poll();
  EXPECT_EQ(sent.size(), 2u);
  EXPECT_EQ(test.worker().tasks()[0]->state, TaskState::kChanSend);
  EXPECT_EQ(receiver.try_receive(), 0);
  test.poll();
  EXPECT_EQ(sent.size(), 3u);
  EXPECT_EQ(receiver.try_receive(), 1);
  EXPECT_EQ(receiver.try_receive(), 2);
  EXPECT_EQ(receiver.try_receive(), std::nullopt);
}

TEST(channel, with_capacity_0_a_sender_waits_for_a_receiver) {
  TestRuntime test;
  auto [sender, receiver] = make_channel<int>(0);
  Scope scope("test");
  std::vector<bool> sent;
  int refused = 7;
  EXPECT_FALSE(sender.try_send(refused));
  test.spawn(scope, "send", send_all(std::move(sender), 1, &sent));
  test.poll();
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(receiver.try_receive(), 0);
  test.poll();
  EXPECT_EQ(sent, std::vector<bool>{true});
}

TEST(channel, with_capacity_0_try_send_reaches_a_waiting_receiver) {
  TestRuntime test;
  auto [sender, receiver] = make_channel<int>(0);
  Scope scope("test");
  std::optional<int> value;
  bool done = false;
  test.spawn(scope, "receive", receive_one(receiver, &value, &done));
  test.poll();
  int offered = 9;
  EXPECT_TRUE(sender.try_send(offered));
  test.poll();
  EXPECT_EQ(value, 9);
}

TEST(channel, a_waiting_receiver_names_the_newest_sender) {
  TestRuntime test;
  auto [sender, receiver] = make_channel<int>(1);
  Scope scope("test");
  std::optional<int> value;
  bool done = false;
  test.spawn(scope, "receive", receive_one(receiver, &value, &done));
  test.poll();
  auto copy_and_wait = [](Sender<int> out) -> Task<void> {
    Sender<int> own = out;
    co_await yield();
    co_await sleep_for(std::chrono::hours(1));
  };
  test.spawn(scope, "sender", copy_and_wait(sender));
  test.poll();
  const auto tasks = test.worker().tasks();
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0]->state, TaskState::kChanReceive);
  EXPECT_EQ(tasks[0]->wait->target().holder_id(), tasks[1]->id);
  scope.cancel(CancelReason::kUser);
  test.poll();
}

TEST(channel, close_lets_receivers_drain_and_refuses_senders) {
  TestRuntime test;
  auto [sender, receiver] = make_channel<int>(4);
  int one = 1;
  EXPECT_TRUE(sender.try_send(one));
  sender.close();
  EXPECT_TRUE(sender.closed());
  int two = 2;
  EXPECT_FALSE(sender.try_send(two));
  std::vector<int> values;
  std::vector<bool> sent;
  test.run(send_all(sender, 1, &sent));
  EXPECT_EQ(sent, std::vector<bool>{false});
  test.run(receive_all(std::move(receiver), &values));
  EXPECT_EQ(values, std::vector<int>{1});
}

TEST(channel, close_wakes_whoever_waits) {
  TestRuntime test;
  auto [full_sender, full_receiver] = make_channel<int>(0);
  auto [empty_sender, empty_receiver] = make_channel<int>(0);
  Scope scope("test");
  std::vector<bool> sent;
  std::optional<int> value = 5;
  bool done = false;
  test.spawn(scope, "send", send_all(full_sender, 1, &sent));
  test.spawn(scope, "receive", receive_one(empty_receiver, &value, &done));
  test.poll();
  full_sender.close();
  empty_sender.close();
  test.poll();
  EXPECT_EQ(sent, std::vector<bool>{false});
  EXPECT_TRUE(done);
  EXPECT_EQ(value, std::nullopt);
}

TEST(channel, senders_are_told_when_the_last_receiver_goes) {
  TestRuntime test;
  auto [sender, receiver] = make_channel<int>(1);
  Scope scope("test");
  std::vector<bool> sent;
  test.spawn(scope, "send", send_all(sender, 3, &sent));
  test.poll();
  EXPECT_EQ(sent.size(), 1u);
  {
    const Receiver<int> gone = std::move(receiver);
  }
  test.poll();
  EXPECT_EQ(sent, (std::vector<bool>{true, false, false}));
  EXPECT_TRUE(sender.closed());
}

TEST(channel, copies_of_a_sender_keep_the_channel_open) {
  TestRuntime test;
  auto [sender, receiver] = make_channel<int>(1);
  std::optional<Sender<int>> copy = sender;
  sender = Sender<int>();
  EXPECT_FALSE(copy->closed());
  Scope scope("test");
  std::optional<int> value = 5;
  bool done = false;
  test.spawn(scope, "receive", receive_one(receiver, &value, &done));
  test.poll();
  EXPECT_FALSE(done);
  copy.reset();
  test.poll();
  EXPECT_TRUE(done);
  EXPECT_EQ(value, std::nullopt);
}

TEST(channel, a_cancelled_send_leaves_its_value_out) {
  TestRuntime test;
  auto [sender, receiver] = make_channel<int>(1);
  int first = 41;
  ASSERT_TRUE(sender.try_send(first));
  {
    Scope scope("test");
    std::vector<bool> sent;
    test.spawn(scope, "send", send_all(sender, 1, &sent));
    test.poll();
    scope.cancel(CancelReason::kClientGone);
    test.poll();
    EXPECT_EQ(scope.size(), 0u);
    EXPECT_TRUE(sent.empty());
  }
  EXPECT_EQ(receiver.try_receive(), 41);
  EXPECT_EQ(receiver.try_receive(), std::nullopt);
}

TEST(channel, a_value_handed_over_before_the_cancel_is_not_lost) {
  TestRuntime test;
  auto [sender, receiver] = make_channel<int>(0);
  Scope scope("test");
  std::optional<int> value;
  bool done = false;
  test.spawn(scope, "receive", receive_one(receiver, &value, &done));
  test.poll();
  int offered = 3;
  ASSERT_TRUE(sender.try_send(offered));
  scope.cancel(CancelReason::kClientGone);
  test.poll();
  EXPECT_TRUE(done);
  EXPECT_EQ(value, 3);
}

// Goal: what a value does in its destructor must not meet the channel's lock.
TEST(channel, a_buffered_value_may_hold_a_sender_of_its_own_channel) {
  struct Message {
    Sender<std::unique_ptr<Message>> reply;
  };
  auto [sender, receiver] = make_channel<std::unique_ptr<Message>>(2);
  auto message = std::make_unique<Message>(Message{sender});
  ASSERT_TRUE(sender.try_send(message));
  {
    const auto gone = std::move(receiver);
  }
  EXPECT_TRUE(sender.closed());
}

TEST(channel, cancelled_at_every_await_nothing_is_left) {
  TestRuntime test;
  auto relay = [](std::size_t capacity) -> Task<void> {
    auto [sender, receiver] = make_channel<int>(capacity);
    Scope scope("relay");
    scope.spawn("send", send_all(std::move(sender), 5));
    std::vector<int> values;
    std::exception_ptr failure;
    try {
      co_await receive_all(std::move(receiver), &values);
    } catch (...) {
      failure = std::current_exception();
    }
    co_await scope.join();
    if (failure) std::rethrow_exception(failure);
  };
  for (const std::size_t capacity : {0, 1}) {
    EXPECT_GE(cancel_at_every_await(
                  test, [&] { return relay(capacity); }, [&] { EXPECT_EQ(test.runtime().task_count(), 0u); }),
              2);
  }
}

}  // namespace
}  // namespace quoll::task
