#include "task/combine.hpp"

#include <gtest/gtest.h>

#include "task/blocking.hpp"
#include "task/event.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::task {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Task<int> give(int value) { co_return value; }
Task<int> give_later(int value) {
  co_await yield();
  co_return value;
}
Task<int> fail(ErrorClass error_class) {
  co_await yield();
  throw Error(error_class, "fails");
}
// Counts itself while it lives, however it ends.
struct Alive {
  explicit Alive(int* count) : count_(count) { ++*count_; }
  ~Alive() { --*count_; }
  int* count_;
};
Task<int> hang(int* alive, int* seen) {
  Alive counted(alive);
  ++*seen;
  co_await sleep_for(hours(1));
  co_return 0;
}
// Throws Cancelled though nobody cancelled the task's own token.
Task<int> cancel_itself() {
  CancelScope inner;
  inner.node().cancel(CancelReason::kOverload);
  co_await yield();
  co_return 1;
}

TEST(when_all, returns_all_values) {
  TestRuntime test;
  auto body = []() -> Task<int> {
    auto [a, b, c] = co_await when_all(give(1), give_later(20), give(300));
    co_return a + b + c;
  };
  EXPECT_EQ(test.run(body()), 321);
}

TEST(when_all, of_a_vector_keeps_the_order) {
  TestRuntime test;
  auto body = []() -> Task<std::vector<int>> {
    std::vector<Task<int>> work;
    work.push_back(give_later(3));
    work.push_back(give(1));
    work.push_back(give_later(2));
    co_return co_await when_all(std::move(work));
  };
  EXPECT_EQ(test.run(body()), (std::vector<int>{3, 1, 2}));
}

TEST(when_all, of_nothing_returns_at_once) {
  TestRuntime test;
  auto body = []() -> Task<std::size_t> { co_return (co_await when_all(std::vector<Task<int>>())).size(); };
  EXPECT_EQ(test.run(body()), 0u);
}

TEST(when_all, the_first_failure_cancels_the_others_joins_them_and_is_thrown) {
  TestRuntime test;
  int alive = 0, seen = 0;
  auto body = [](int* live, int* started) -> Task<void> {
    co_await when_all(hang(live, started), fail(ErrorClass::kNotFound), hang(live, started));
  };
  try {
    test.run(body(&alive, &seen));
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kNotFound);
  }
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(alive, 0);
}

TEST(when_all, a_child_that_was_cancelled_on_its_own_ends_it_as_cancelled) {
  TestRuntime test;
  int alive = 0, seen = 0;
  auto tuple = [](int* live, int* started) -> Task<void> { co_await when_all(cancel_itself(), hang(live, started)); };
  EXPECT_THROW(test.run(tuple(&alive, &seen)), Cancelled);
  auto vector = []() -> Task<void> {
    std::vector<Task<int>> work;
    work.push_back(give(1));
    work.push_back(cancel_itself());
    co_await when_all(std::move(work));
  };
  EXPECT_THROW(test.run(vector()), Cancelled);
  EXPECT_EQ(alive, 0);
}

TEST(when_all, under_a_cancelled_parent_joins_its_children_and_throws_cancelled) {
  TestRuntime test;
  Scope scope("test");
  int alive = 0, seen = 0;
  auto body = [](int* live, int* started) -> Task<void> {
    co_await when_all(hang(live, started), hang(live, started));
  };
  test.spawn(scope, "body", body(&alive, &seen));
  test.poll();
  EXPECT_EQ(alive, 2);
  EXPECT_EQ(test.runtime().task_count(), 3u);
  scope.cancel(CancelReason::kClientGone);
  test.poll();
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(scope.size(), 0u);
}

TEST(when_all, values_that_all_came_are_kept_though_the_parent_is_cancelled) {
  TestRuntime test;
  Scope scope("test");
  int sum = 0;
  auto body = [](Scope& own, int* out) -> Task<void> {
    own.cancel(CancelReason::kUser);
    auto [a, b] = co_await when_all(give(1), give(2));
    *out = a + b;
  };
  test.spawn(scope, "body", body(scope, &sum));
  test.poll();
  EXPECT_EQ(sum, 3);
}

TEST(first_of, the_first_success_wins_and_the_others_are_joined) {
  TestRuntime test;
  int alive = 0, seen = 0;
  auto body = [](int* live, int* started) -> Task<First<int>> {
    std::vector<Task<int>> work;
    work.push_back(hang(live, started));
    work.push_back(fail(ErrorClass::kConflict));
    work.push_back(give_later(7));
    co_return co_await first_of(std::move(work));
  };
  const First<int> first = test.run(body(&alive, &seen));
  EXPECT_EQ(first.index, 2u);
  EXPECT_EQ(first.value, 7);
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(alive, 0);
}

TEST(first_of, when_all_fail_the_first_failure_is_thrown) {
  TestRuntime test;
  auto body = []() -> Task<void> {
    std::vector<Task<int>> work;
    work.push_back(fail(ErrorClass::kConflict));
    work.push_back(fail(ErrorClass::kNotFound));
    co_await first_of(std::move(work));
  };
  try {
    test.run(body());
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kConflict);
  }
}

TEST(first_of, children_that_were_cancelled_on_their_own_end_it_as_cancelled) {
  TestRuntime test;
  auto body = []() -> Task<void> {
    std::vector<Task<int>> work;
    work.push_back(cancel_itself());
    co_await first_of(std::move(work));
  };
  EXPECT_THROW(test.run(body()), Cancelled);
}

TEST(first_of, waits_in_state_select) {
  TestRuntime test;
  Scope scope("test");
  int alive = 0, seen = 0;
  auto body = [](int* live, int* started) -> Task<void> {
    std::vector<Task<int>> work;
    work.push_back(hang(live, started));
    co_await first_of(std::move(work));
  };
  test.spawn(scope, "body", body(&alive, &seen));
  test.poll();
  EXPECT_EQ(to_string(test.worker().tasks()[0]->state), "select");
  scope.cancel(CancelReason::kUser);
  test.poll();
  EXPECT_EQ(alive, 0);
}

struct Timed {
  ManualClock clock;
  TestRuntime test{clock};
  void advance(std::chrono::nanoseconds time) {
    clock.set(clock.now_ns() + time.count());
    test.worker().fire_due_timers();
    test.poll();
  }
};

Task<void> note(Task<int> work, std::string* outcome) {
  try {
    *outcome = std::to_string(co_await std::move(work));
  } catch (const Error& error) {
    *outcome = to_string(error.error_class());
  } catch (const Cancelled& cancelled) {
    *outcome = "cancelled: " + std::string(to_string(cancelled.reason()));
  }
}

Task<int> sleep_and_give(seconds time) {
  co_await sleep_for(time);
  co_return 1;
}

TEST(with_deadline, returns_the_value_of_work_that_is_in_time) {
  Timed timed;
  Scope scope("test");
  std::string outcome;
  timed.test.spawn(scope, "note", note(with_deadline(seconds(2), sleep_and_give(seconds(1))), &outcome));
  timed.test.poll();
  EXPECT_EQ(outcome, "");
  timed.advance(seconds(1));
  EXPECT_EQ(outcome, "1");
}

TEST(with_deadline, cancels_work_that_is_late_and_says_so) {
  Timed timed;
  Scope scope("test");
  std::string outcome;
  timed.test.spawn(scope, "note", note(with_deadline(seconds(2), sleep_and_give(seconds(3))), &outcome));
  timed.test.poll();
  timed.advance(seconds(2));
  EXPECT_EQ(outcome, "deadline_exceeded");
}

Task<int> sleep_in_pieces(seconds piece, int pieces, seconds last) {
  DeadlineScope standstill(seconds(2));
  try {
    for (int each = 0; each < pieces; ++each) {
      standstill.renew(seconds(2));
      co_await sleep_for(piece);
    }
    standstill.renew(seconds(2));
    co_await sleep_for(last);
  } catch (const Cancelled&) {
    const bool expired = standstill.expired();
    standstill.renew(hours(1));  // too late
    if (!expired || !standstill.expired()) throw;
    co_return -1;
  }
  co_return pieces;
}

TEST(deadline_scope, renewed_it_bounds_a_standstill_and_not_the_whole) {
  Timed timed;
  Scope scope("test");
  std::string steady, stuck;
  timed.test.spawn(scope, "note", note(sleep_in_pieces(seconds(1), 5, seconds(1)), &steady));
  timed.test.spawn(scope, "note", note(sleep_in_pieces(seconds(1), 2, seconds(9)), &stuck));
  timed.test.poll();
  for (int second = 0; second < 4; ++second) timed.advance(seconds(1));
  EXPECT_EQ(stuck, "-1");
  EXPECT_EQ(steady, "");
  for (int second = 0; second < 2; ++second) timed.advance(seconds(1));
  EXPECT_EQ(steady, "5");
}

TEST(with_deadline, of_nested_ones_the_one_that_passed_is_reported) {
  Timed timed;
  Scope scope("test");
  std::string inner, outer;
  auto nest = [](std::string* out) -> Task<int> {
    co_await note(with_deadline(seconds(1), sleep_and_give(seconds(9))), out);
    co_return 5;
  };
  timed.test.spawn(scope, "note", note(with_deadline(seconds(3), nest(&inner)), &outer));
  timed.test.poll();
  timed.advance(seconds(1));
  EXPECT_EQ(inner, "deadline_exceeded");
  EXPECT_EQ(outer, "5");
  auto swap = [](std::string* out) -> Task<int> {
    co_await note(with_deadline(seconds(9), sleep_and_give(seconds(9))), out);
    co_await yield();
    co_return 5;
  };
  timed.test.spawn(scope, "note", note(with_deadline(seconds(3), swap(&inner)), &outer));
  timed.test.poll();
  timed.advance(seconds(3));
  EXPECT_EQ(inner, "cancelled: deadline");
  EXPECT_EQ(outer, "deadline_exceeded");
}

TEST(with_deadline, an_outer_cancel_goes_through_as_cancelled) {
  Timed timed;
  Scope scope("test");
  std::string outcome;
  timed.test.spawn(scope, "note", note(with_deadline(seconds(2), sleep_and_give(seconds(3))), &outcome));
  timed.test.poll();
  scope.cancel(CancelReason::kShutdown);
  timed.test.poll();
  EXPECT_EQ(outcome, "cancelled: shutdown");
}

TEST(with_deadline, of_no_bound_does_not_overflow) {
  Timed timed;
  Scope scope("test");
  std::string outcome;
  timed.test.spawn(scope, "note",
                   note(with_deadline(std::chrono::nanoseconds::max(), sleep_and_give(seconds(1))), &outcome));
  timed.test.poll();
  timed.advance(seconds(1));
  EXPECT_EQ(outcome, "1");
}

TEST(shielded, work_runs_to_its_end_under_a_cancelled_token_and_the_next_await_throws) {
  Timed timed;
  Scope scope("test");
  std::string inside, after;
  auto body = [](std::string* in, std::string* out) -> Task<void> {
    co_await note(shielded(seconds(10), sleep_and_give(seconds(1))), in);
    co_await note(sleep_and_give(seconds(1)), out);
  };
  timed.test.spawn(scope, "body", body(&inside, &after));
  timed.test.poll();
  scope.cancel(CancelReason::kClientGone);
  timed.test.poll();
  EXPECT_EQ(scope.size(), 1u);
  timed.advance(seconds(1));
  EXPECT_EQ(inside, "1");
  EXPECT_EQ(after, "cancelled: client gone");
}

TEST(shielded, its_own_bound_cancels_it) {
  Timed timed;
  Scope scope("test");
  std::string outcome;
  timed.test.spawn(scope, "note", note(shielded(seconds(1), sleep_and_give(seconds(5))), &outcome));
  timed.test.poll();
  timed.advance(seconds(1));
  EXPECT_EQ(outcome, "cancelled: deadline");
}

Task<int> hold(int* alive) {
  Alive counted(alive);
  co_await yield();
  co_await blocking([] {});
  co_return 1;
}

Task<void> race(Task<int> a, Task<int> b) {
  std::vector<Task<int>> work;
  work.push_back(std::move(a));
  work.push_back(std::move(b));
  co_await first_of(std::move(work));
}

Task<void> combine_all(int* alive, int* seen) {
  co_await when_all(hold(alive), hold(alive), give(1));
  co_await race(hold(alive), hang(alive, seen));
  co_await with_deadline(hours(1), hold(alive));
  co_await shielded(hours(1), hold(alive));
}

TEST(combine, cancelled_at_every_await_nothing_is_left) {
  TestRuntime test;
  int alive = 0, seen = 0;
  EXPECT_GE(cancel_at_every_await(
                test, [&] { return combine_all(&alive, &seen); },
                [&] {
                  EXPECT_EQ(alive, 0);
                  EXPECT_EQ(test.runtime().task_count(), 0u);
                }),
            8);
}

}  // namespace
}  // namespace quoll::task
