#include "task/event.hpp"

#include <gtest/gtest.h>

#include <future>

#include "task/testing.hpp"

namespace quoll::task {
namespace {

Task<void> wait_for(Event& event, int* woken) {
  co_await event.wait();
  ++*woken;
}

TEST(event, set_wakes_all_who_wait_and_stays_set) {
  TestRuntime test;
  Event event;
  Scope scope("test");
  int woken = 0;
  for (int i = 0; i < 3; ++i) test.spawn(scope, "wait", wait_for(event, &woken));
  test.poll();
  EXPECT_EQ(woken, 0);
  EXPECT_EQ(test.worker().tasks()[0]->state, TaskState::kCondWait);
  event.set();
  test.poll();
  EXPECT_EQ(woken, 3);
  EXPECT_TRUE(event.is_set());
  test.run(wait_for(event, &woken));
  EXPECT_EQ(woken, 4);
}

TEST(event, after_reset_it_is_waited_for_again) {
  TestRuntime test;
  Event event;
  event.set();
  event.reset();
  EXPECT_FALSE(event.is_set());
  Scope scope("test");
  int woken = 0;
  test.spawn(scope, "wait", wait_for(event, &woken));
  test.poll();
  EXPECT_EQ(woken, 0);
  event.set();
  event.reset();  // whom set() has woken stays woken
  test.poll();
  EXPECT_EQ(woken, 1);
}

TEST(event, a_cancelled_wait_leaves_the_others_waiting) {
  TestRuntime test;
  Event event;
  Scope gone("gone");
  Scope stays("stays");
  int woken = 0;
  test.spawn(gone, "wait", wait_for(event, &woken));
  test.spawn(stays, "wait", wait_for(event, &woken));
  test.poll();
  gone.cancel(CancelReason::kClientGone);
  test.poll();
  EXPECT_EQ(gone.size(), 0u);
  EXPECT_EQ(stays.size(), 1u);
  event.set();
  test.poll();
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(stays.size(), 0u);
}

Task<void> own_and_wait(std::promise<Event*>* made) {
  auto event = std::make_unique<Event>();
  made->set_value(event.get());
  co_await event->wait();
}

// Goal: a waiter may destroy the event as soon as its wait returns, while set() on another thread is still on its way
// out. Method: many rounds, under the sanitizers.
TEST(event, the_waiter_may_destroy_it_once_woken_by_another_thread) {
  Runtime runtime;
  Worker& worker = runtime.add_worker("waiter");
  runtime.start();
  for (int round = 0; round < 2000; ++round) {
    Scope scope("test");
    std::promise<Event*> made;
    scope.spawn_on(worker, "wait", own_and_wait(&made));
    made.get_future().get()->set();
    while (scope.size() > 0) std::this_thread::yield();
  }
}

TEST(event, cancelled_at_every_await_nothing_is_left) {
  TestRuntime test;
  auto body = [](int* woken) -> Task<void> {
    Event event;
    Scope scope("test");
    scope.spawn("wait", wait_for(event, woken));
    scope.spawn("set", [](Event& set_later) -> Task<void> {
      set_later.set();
      co_return;
    }(event));
    co_await scope.join();
  };
  int woken = 0;
  EXPECT_GE(cancel_at_every_await(test, [&] { return body(&woken); }), 1);
  EXPECT_GE(woken, 1);
}

}  // namespace
}  // namespace quoll::task
