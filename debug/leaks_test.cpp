// Tasks that leak are convicted, each with its reason, and others never are. Method: tasks on a test's runtime, which
// wait for nothing but each other; the search looks at once, without a grace time.
#include "debug/leaks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <map>
#include <nlohmann/json.hpp>

#include "debug/leak_watch.hpp"
#include "task/blocking.hpp"
#include "task/channel.hpp"
#include "task/event.hpp"
#include "task/mutex.hpp"
#include "task/testing.hpp"
#include "task/timer.hpp"

namespace quoll::debug {
namespace {

using task::Task;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr LeakOptions kAtOnce{.grace = std::chrono::nanoseconds(0), .blocked = std::chrono::nanoseconds(0)};

class LeaksTest : public testing::Test {
 protected:
  ~LeaksTest() override {
    scope_.cancel(task::CancelReason::kUser);
    guards_.clear();
    test_.poll();
  }

  std::uint64_t spawn(std::string_view name, Task<void> work) {
    test_.spawn(scope_, name, std::move(work));
    test_.poll();
    return test_.worker().tasks().back()->id;
  }
  LeakReport report(LeakOptions options = kAtOnce) { return test_.run(find_leaks(test_.runtime(), options)); }
  // "name: kind" of each verdict.
  std::vector<std::string> verdicts(LeakOptions options = kAtOnce) {
    std::vector<std::string> words;
    for (const Leak& leak : report(options).leaks) {
      words.push_back(std::string(leak.task.name) + ": " + std::string(to_string(leak.kind)));
    }
    return words;
  }

  task::TestRuntime test_;
  task::Mutex first_;
  task::Mutex second_;
  task::Event event_;
  std::list<task::Mutex::Guard> guards_;  // held by no task
  task::Scope scope_{"test.scope"};
};

Task<void> wait_for_own_sender() {
  auto [sender, receiver] = task::make_channel<int>(0);
  co_await receiver.receive();
}

Task<void> wait_for_room_of_own_receiver() {
  auto [sender, receiver] = task::make_channel<int>(0);
  co_await sender.send(1);
}

Task<void> keep_and_receive(task::Sender<int> kept, task::Receiver<int> receiver) {
  co_await receiver.receive();
  kept.close();
}

TEST_F(LeaksTest, a_receive_that_only_the_waiter_could_serve_has_no_sender) {
  spawn("own sender", wait_for_own_sender());
  spawn("own receiver", wait_for_room_of_own_receiver());
  auto [sender, receiver] = task::make_channel<int>(0);
  spawn("parameters", keep_and_receive(std::move(sender), std::move(receiver)));
  EXPECT_THAT(verdicts(), ElementsAre("own sender: no sender", "own receiver: no receiver", "parameters: no sender"));
  EXPECT_THAT(verdicts({.blocked = std::chrono::hours(1)}), IsEmpty());
}

TEST_F(LeaksTest, the_text_and_the_json_have_reason_and_stack) {
  const std::uint64_t id = spawn("own sender", wait_for_own_sender());
  const LeakReport found = report();
  const std::string text = leaks_text(found);
  EXPECT_THAT(text, HasSubstr("leak (no sender): it waits for a value of a channel that has no live sender"));
  EXPECT_THAT(text, HasSubstr("quoll::debug::wait_for_own_sender(...)\n\tdebug/leaks_test.cpp:"));
  const auto json = nlohmann::json::parse(leaks_json(found, kAtOnce));
  EXPECT_EQ(json["count"], 1);
  EXPECT_EQ(json["complete"], true);
  EXPECT_EQ(json["verdicts"][0]["kind"], "no sender");
  EXPECT_EQ(json["verdicts"][0]["task"]["id"], id);
  EXPECT_EQ(json["verdicts"][0]["task"]["stack"][0]["function"], "quoll::debug::wait_for_own_sender");
}

Task<void> receive_with(std::list<task::Sender<int>>* hub) {
  auto [sender, receiver] = task::make_channel<int>(0);
  hub->push_back(std::move(sender));
  co_await receiver.receive();
}

TEST_F(LeaksTest, a_sender_outside_of_all_tasks_is_alive) {
  std::list<task::Sender<int>> hub;
  spawn("follower", receive_with(&hub));
  EXPECT_THAT(verdicts(), IsEmpty());
}

Task<void> send_later(const task::Sender<int>* out, task::Event* event) {
  co_await event->wait();
  co_await out->send(1);
}

Task<void> receive_from_child(task::Event* event) {
  auto [sender, receiver] = task::make_channel<int>(0);
  task::Scope scope("test.children");
  scope.spawn("child", send_later(&sender, event));
  std::exception_ptr failure;
  try {
    co_await receiver.receive();
  } catch (...) {
    failure = std::current_exception();
  }
  scope.cancel(task::CancelReason::kParent);
  co_await scope.join();
  if (failure) std::rethrow_exception(failure);
}

TEST_F(LeaksTest, a_child_may_send_through_a_reference) {
  spawn("parent", receive_from_child(&event_));
  EXPECT_THAT(verdicts(), IsEmpty());
}

Task<void> receive_what_others_send(const task::Sender<int>** place) {
  auto [sender, receiver] = task::make_channel<int>(0);
  *place = &sender;
  while (co_await receiver.receive()) {
  }
}
Task<void> send_once(const task::Sender<int>* out) { co_await out->send(1); }

TEST_F(LeaksTest, an_end_that_another_task_has_used_through_a_reference_is_alive) {
  const task::Sender<int>* sender = nullptr;
  spawn("receiver", receive_what_others_send(&sender));
  EXPECT_THAT(verdicts(), ElementsAre("receiver: no sender"));  // nothing tells that there is a reference
  spawn("sender", send_once(sender));
  EXPECT_THAT(verdicts(), IsEmpty());
}

Task<void> receive_by_deadline() { co_await task::with_deadline(std::chrono::hours(1), wait_for_own_sender()); }

TEST_F(LeaksTest, a_wait_under_a_deadline_ends) {
  spawn("patient", receive_by_deadline());
  EXPECT_THAT(verdicts(), IsEmpty());
}

Task<void> lock_both(task::Mutex* first, task::Mutex* second, task::Event* go) {
  const auto one = co_await first->lock();
  co_await go->wait();
  const auto two = co_await second->lock();
}
Task<void> lock_one(task::Mutex* mutex) { const auto guard = co_await mutex->lock(); }

TEST_F(LeaksTest, two_that_wait_for_each_others_mutex_are_a_deadlock_and_a_third_is_behind_them) {
  const std::uint64_t a = spawn("a", lock_both(&first_, &second_, &event_));
  const std::uint64_t b = spawn("b", lock_both(&second_, &first_, &event_));
  const std::uint64_t c = spawn("c", lock_one(&first_));
  EXPECT_THAT(verdicts(), IsEmpty());
  event_.set();
  test_.poll();
  const LeakReport found = report();
  ASSERT_EQ(found.leaks.size(), 2u);
  EXPECT_EQ(found.leaks[0].kind, LeakKind::kDeadlock);
  EXPECT_THAT(found.leaks[0].cycle, ElementsAre(a, b));
  EXPECT_THAT(found.leaks[1].cycle, ElementsAre(b, a));
  EXPECT_EQ(found.leaks[0].reason,
            "deadlock: " + std::to_string(a) + " waits for " + std::to_string(b) + " waits for " + std::to_string(a));
  std::vector<std::uint64_t> behind = found.leaks[0].behind;
  behind.insert(behind.end(), found.leaks[1].behind.begin(), found.leaks[1].behind.end());
  EXPECT_THAT(behind, ElementsAre(c));
}

Task<void> lock_twice(task::Mutex* mutex) {
  const auto one = co_await mutex->lock();
  const auto two = co_await mutex->lock();
}

TEST_F(LeaksTest, a_task_that_locks_what_it_holds_waits_for_itself) {
  const std::uint64_t id = spawn("twice", lock_twice(&first_));
  const LeakReport found = report();
  ASSERT_EQ(found.leaks.size(), 1u);
  EXPECT_THAT(found.leaks[0].cycle, ElementsAre(id));
}

Task<void> keep_guard(task::Mutex* mutex, std::list<task::Mutex::Guard>* keeper, task::Event* event) {
  keeper->push_back(co_await mutex->lock());
  co_await event->wait();
}

TEST_F(LeaksTest, a_mutex_whose_holder_is_gone) {
  spawn("holder", keep_guard(&first_, &guards_, &event_));
  spawn("waiter", lock_one(&first_));
  EXPECT_THAT(verdicts(), IsEmpty());  // it lives, and may give the guard back
  event_.set();
  test_.poll();
  EXPECT_THAT(verdicts(), ElementsAre("waiter: holder gone"));
}

Task<void> hold_guard(task::Mutex::Guard guard, task::Event* event) {
  const task::Mutex::Guard own = std::move(guard);
  co_await event->wait();
}
Task<void> lock_and_hand_over(task::Mutex* mutex, task::Scope* scope, task::Event* event) {
  scope->spawn("heir", hold_guard(co_await mutex->lock(), event));
}

TEST_F(LeaksTest, a_guard_that_another_task_has_taken_over_is_held) {
  spawn("locker", lock_and_hand_over(&first_, &scope_, &event_));
  spawn("waiter", lock_one(&first_));
  EXPECT_THAT(verdicts(), IsEmpty());
}

Task<void> join_child_that_needs_the_mutex(task::Mutex* mutex) {
  const auto guard = co_await mutex->lock();
  task::Scope scope("test.children");
  scope.spawn("child", lock_one(mutex));
  co_await scope.join();
}

TEST_F(LeaksTest, a_parent_that_joins_a_child_which_waits_for_its_mutex_is_a_deadlock) {
  spawn("parent", join_child_that_needs_the_mutex(&first_));
  EXPECT_THAT(verdicts(), ElementsAre("parent: deadlock", "child: deadlock"));
}

Task<void> exchange(task::Receiver<int> in, task::Sender<int> out) {
  const auto value = co_await in.receive();
  co_await out.send(*value);
}

TEST_F(LeaksTest, two_that_wait_for_each_others_value_are_a_deadlock) {
  auto [to_a, from_b] = task::make_channel<int>(0);
  auto [to_b, from_a] = task::make_channel<int>(0);
  spawn("a", exchange(std::move(from_b), std::move(to_b)));
  spawn("b", exchange(std::move(from_a), std::move(to_a)));
  EXPECT_THAT(verdicts(), ElementsAre("a: deadlock", "b: deadlock"));
}

Task<int> value_of_own_sender() {
  co_await wait_for_own_sender();
  co_return 1;
}
Task<int> value_on(task::Event* event) {
  co_await event->wait();
  co_return 2;
}
Task<void> first_of_two(task::Event* event) {
  std::vector<Task<int>> work;
  work.push_back(value_of_own_sender());
  work.push_back(value_on(event));
  co_await task::first_of(std::move(work));
}

TEST_F(LeaksTest, a_select_is_alive_while_one_of_its_cases_is) {
  spawn("select", first_of_two(&event_));
  EXPECT_THAT(verdicts(), ElementsAre("first_of: no sender"));
  EXPECT_THAT(report().leaks[0].behind, IsEmpty());
}

Task<void> labelled(const task::Labels* labels, task::Event* event, bool shielded) {
  const task::LabelScope in_force(labels);
  auto wait = [](task::Event* on) -> Task<void> { co_await on->wait(); };
  if (shielded) co_await task::shielded(std::chrono::hours(1), wait(event));
  if (!shielded) co_await wait(event);
}

TEST_F(LeaksTest, a_task_whose_client_has_left_is_overdue_unless_its_route_runs_to_its_end) {
  task::Labels gone;
  task::Labels spared;
  task::Labels there;
  gone.request_id = 1;
  gone.client_left_ns = spared.client_left_ns = task::coarse_now_ns() - 20'000'000'000;
  spared.runs_to_end = true;
  spawn("gone", labelled(&gone, &event_, true));
  spawn("spared", labelled(&spared, &event_, false));
  spawn("there", labelled(&there, &event_, false));
  EXPECT_THAT(verdicts({}), ElementsAre("gone: overdue"));
  EXPECT_THAT(verdicts({.grace = std::chrono::minutes(1)}), IsEmpty());
  EXPECT_THAT(report({}).leaks[0].reason, testing::ContainsRegex("the client of its request left 2[0-9][.]"));
  event_.set();
  test_.poll();
}

TEST_F(LeaksTest, a_cancelled_task_that_waits_for_a_blocking_call_is_overdue) {
  std::atomic<bool> stop{false};
  auto call = [](std::atomic<bool>* until) -> Task<void> { co_await task::blocking([until] { until->wait(false); }); };
  spawn("call", call(&stop));
  scope_.cancel(task::CancelReason::kDeadline);
  test_.poll();
  EXPECT_THAT(verdicts(), ElementsAre("call: overdue"));
  EXPECT_THAT(report().leaks[0].reason,
              testing::MatchesRegex("it was cancelled .deadline. [0-9.]+ s ago, and it has not ended: it waits for a "
                                    "blocking call, which cannot be cut short"));
  EXPECT_THAT(verdicts({}), IsEmpty());
  stop = true;
  stop.notify_all();
  while (scope_.size() > 0) test_.worker().run_one_for(std::chrono::seconds(1));
}

Task<void> watch(task::Runtime* runtime, std::vector<std::string>* log) {
  LeakWatchOptions options;
  options.leaks = kAtOnce;
  options.period = std::chrono::milliseconds(1);
  options.log = [log](std::string_view text) { log->emplace_back(text); };
  co_await watch_for_leaks(*runtime, std::move(options));
}

TEST_F(LeaksTest, the_watch_names_each_leak_once_and_counts) {
  const auto kind = static_cast<std::size_t>(LeakKind::kNoSender);
  const LeakTotals before = leak_totals();
  std::vector<std::string> log;
  spawn("watch", watch(&test_.runtime(), &log));
  const auto look = [&] {
    const std::uint64_t looks = leak_totals().looks;
    while (leak_totals().looks < looks + 2) test_.worker().run_one_for(std::chrono::seconds(1));
  };
  look();
  EXPECT_THAT(log, IsEmpty());
  spawn("leak", wait_for_own_sender());
  look();
  look();
  EXPECT_THAT(log, ElementsAre(HasSubstr("quoll::debug::wait_for_own_sender(...)")));
  EXPECT_EQ(leak_totals().found[kind], before.found[kind] + 1);
  EXPECT_EQ(leak_totals().present[kind], 1u);
}

}  // namespace
}  // namespace quoll::debug
