#include "task/mutex.hpp"

#include <gtest/gtest.h>

#include "task/event.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

Task<void> lock_and_wait(Mutex& mutex, Event& event, std::vector<int>* order, int name) {
  auto guard = co_await mutex.lock();
  order->push_back(name);
  co_await event.wait();
}

class MutexTest : public testing::Test {
 protected:
  TestRuntime test_;
  Mutex mutex_;
  Event event_;
  std::vector<int> order_;
};

TEST_F(MutexTest, is_passed_on_in_the_order_of_asking) {
  Scope scope("test");
  event_.set();
  for (int i = 0; i < 4; ++i) test_.spawn(scope, "lock", lock_and_wait(mutex_, event_, &order_, i));
  test_.poll();
  EXPECT_EQ(order_, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(mutex_.holder_id(), 0u);
}

TEST_F(MutexTest, a_waiter_names_the_holder) {
  Scope scope("test");
  test_.spawn(scope, "first", lock_and_wait(mutex_, event_, &order_, 1));
  test_.spawn(scope, "second", lock_and_wait(mutex_, event_, &order_, 2));
  test_.poll();
  const auto tasks = test_.worker().tasks();
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[1]->state, TaskState::kMutexLock);
  EXPECT_EQ(tasks[1]->wait->target().holder_id(), tasks[0]->id);
  EXPECT_EQ(tasks[1]->wait->target().object, &mutex_);
  EXPECT_EQ(order_, (std::vector<int>{1}));
  event_.set();
  test_.poll();
  EXPECT_EQ(order_, (std::vector<int>{1, 2}));
}

TEST_F(MutexTest, a_cancelled_waiter_leaves_the_queue_and_the_next_gets_it) {
  Scope holder("holder");
  Scope gone("gone");
  test_.spawn(holder, "first", lock_and_wait(mutex_, event_, &order_, 1));
  test_.spawn(gone, "second", lock_and_wait(mutex_, event_, &order_, 2));
  test_.spawn(holder, "third", lock_and_wait(mutex_, event_, &order_, 3));
  test_.poll();
  gone.cancel(CancelReason::kClientGone);
  test_.poll();
  EXPECT_EQ(gone.size(), 0u);
  event_.set();
  test_.poll();
  EXPECT_EQ(order_, (std::vector<int>{1, 3}));
}

TEST_F(MutexTest, a_waiter_that_was_given_it_before_the_cancel_passes_it_on) {
  Scope holder("holder");
  Scope next("next");
  test_.spawn(holder, "first", lock_and_wait(mutex_, event_, &order_, 1));
  test_.spawn(next, "second", lock_and_wait(mutex_, event_, &order_, 2));
  test_.poll();
  // The first one's end hands the mutex over; the cancel comes before the second has run.
  test_.worker().post([&] {
    event_.set();
    test_.worker().post([&] { next.cancel(CancelReason::kUser); });
  });
  test_.poll();
  EXPECT_EQ(mutex_.holder_id(), 0u);
  EXPECT_EQ(next.size(), 0u);
}

TEST_F(MutexTest, a_guard_can_be_moved_and_released_early) {
  auto body = [](Mutex& mutex) -> Task<bool> {
    Mutex::Guard outer;
    {
      auto inner = co_await mutex.lock();
      outer = std::move(inner);
    }
    const bool held = mutex.holder_id() == this_task::id();
    outer = Mutex::Guard();
    co_return held&& mutex.holder_id() == 0;
  };
  EXPECT_TRUE(test_.run(body(mutex_)));
}

Task<void> lock_twice(Mutex& mutex) {
  for (int i = 0; i < 2; ++i) {
    auto guard = co_await mutex.lock();
    co_await yield();
  }
}

Task<void> contend(Mutex& mutex) {
  Scope scope("test");
  scope.spawn("a", lock_twice(mutex));
  scope.spawn("b", lock_twice(mutex));
  co_await scope.join();
}

TEST_F(MutexTest, cancelled_at_every_await_it_is_free_again) {
  EXPECT_GE(
      cancel_at_every_await(test_, [&] { return contend(mutex_); }, [&] { EXPECT_EQ(mutex_.holder_id(), 0u); }), 6);
}

Task<void> hold_permit(Semaphore& semaphore, Event& event, int* inside) {
  auto permit = co_await semaphore.acquire();
  ++*inside;
  co_await event.wait();
}

TEST(semaphore, lets_in_as_many_as_it_has_permits) {
  TestRuntime test;
  Semaphore semaphore(2);
  Event event;
  Scope scope("test");
  int inside = 0;
  for (int i = 0; i < 5; ++i) test.spawn(scope, "hold", hold_permit(semaphore, event, &inside));
  test.poll();
  EXPECT_EQ(inside, 2);
  EXPECT_EQ(test.worker().tasks()[4]->state, TaskState::kSemAcquire);
  event.set();
  test.poll();
  EXPECT_EQ(inside, 5);
  EXPECT_EQ(scope.size(), 0u);
}

TEST(semaphore, a_cancelled_waiter_takes_no_permit) {
  TestRuntime test;
  Semaphore semaphore(1);
  Event event;
  Scope holder("holder");
  Scope gone("gone");
  int inside = 0;
  test.spawn(holder, "hold", hold_permit(semaphore, event, &inside));
  test.spawn(gone, "hold", hold_permit(semaphore, event, &inside));
  test.poll();
  gone.cancel(CancelReason::kUser);
  event.set();
  test.poll();
  EXPECT_EQ(inside, 1);
  test.run(hold_permit(semaphore, event, &inside));
  EXPECT_EQ(inside, 2);
}

TEST(semaphore, cancelled_at_every_await_no_permit_is_lost) {
  TestRuntime test;
  Semaphore semaphore(1);
  Event open;
  open.set();
  int inside = 0;
  auto body = [](Semaphore& own, Event& event, int* count) -> Task<void> {
    Scope scope("test");
    for (int i = 0; i < 3; ++i)
      scope.spawn("hold", [](Semaphore& s, Event& e, int* n) -> Task<void> {
        auto permit = co_await s.acquire();
        ++*n;
        co_await yield();
        co_await e.wait();
      }(own, event, count));
    co_await scope.join();
  };
  EXPECT_GE(cancel_at_every_await(
                test, [&] { return body(semaphore, open, &inside); },
                [&] {
                  const int before = inside;
                  test.run(hold_permit(semaphore, open, &inside));
                  EXPECT_EQ(inside, before + 1);
                }),
            5);
}

}  // namespace
}  // namespace quoll::task
