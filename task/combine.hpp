// Several tasks at once, and bounds in time: when_all, first_of, with_deadline, shielded.
#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "task/error.hpp"
#include "task/scope.hpp"
#include "task/this_task.hpp"

namespace quoll::task {

namespace detail {

struct Nothing {};
template <typename T>
using Value = std::conditional_t<std::is_void_v<T>, Nothing, T>;

template <typename T>
Task<Value<T>> valued(Task<T> work) {
  if constexpr (std::is_void_v<T>) {
    co_await std::move(work);
    co_return Nothing{};
  } else {
    co_return co_await std::move(work);
  }
}

// What is common to the children of one when_all or first_of.
// Thread: their worker's, which is one and the same.
struct Group {
  explicit Group(std::string_view name) : scope(name) {}

  void end(CancelReason why) {
    if (!cancelled) cancelled = why;
    scope.cancel(CancelReason::kParent);
  }

  std::optional<CancelReason> cancelled;  // of the first child that was cancelled
  std::optional<std::size_t> winner;
  Scope scope;
};

// Runs `work` and keeps its value in *slot. A failure ends the group, and is kept by its scope.
template <typename T>
Task<void> run_one(Task<T> work, std::optional<Value<T>>* slot, Group* group) {
  try {
    slot->emplace(co_await valued(std::move(work)));
  } catch (const Cancelled& cancelled) {
    group->end(cancelled.reason());
  } catch (...) {
    group->scope.cancel(CancelReason::kParent);
    throw;
  }
}

template <typename T>
Task<void> run_first(Task<T> work, std::optional<Value<T>>* slot, std::size_t index, Group* group) {
  try {
    Value<T> value = co_await valued(std::move(work));
    if (group->winner) co_return;
    slot->emplace(std::move(value));
    group->winner = index;
    group->scope.cancel(CancelReason::kParent);
  } catch (const Cancelled& cancelled) {
    if (!group->cancelled) group->cancelled = cancelled.reason();
  }
}

// Runs spawn_all(), and joins whatever it has spawned, also where it throws. Returns what the join threw.
template <typename F>
Task<std::exception_ptr> run_group(Group& group, TaskState state, F spawn_all) {
  std::exception_ptr failure;
  try {
    spawn_all();
  } catch (...) {
    failure = std::current_exception();
    group.scope.cancel(CancelReason::kParent);
  }
  try {
    co_await group.scope.join(state);
  } catch (...) {
    if (!failure) failure = std::current_exception();
  }
  co_return failure;
}

}  // namespace detail

// Runs all at once and returns their values (Nothing for void). The first failure cancels the others, and is what is
// thrown after all have ended.
// Cancel: values that all came are returned even so.
template <typename... Ts>
Task<std::tuple<detail::Value<Ts>...>> when_all(Task<Ts>... work) {
  std::tuple<std::optional<detail::Value<Ts>>...> slots;
  detail::Group group("task.when_all");
  const auto failure = co_await detail::run_group(group, TaskState::kWaitGroupWait, [&] {
    std::apply(
        [&](auto&... slot) { (group.scope.spawn("when_all", detail::run_one(std::move(work), &slot, &group)), ...); },
        slots);
  });
  if (failure) std::rethrow_exception(failure);
  if (group.cancelled) throw Cancelled(*group.cancelled);
  co_return std::apply([](auto&... slot) { return std::tuple<detail::Value<Ts>...>(std::move(*slot)...); }, slots);
}

template <typename T>
Task<std::vector<detail::Value<T>>> when_all(std::vector<Task<T>> work) {
  std::vector<std::optional<detail::Value<T>>> slots(work.size());
  detail::Group group("task.when_all");
  const auto failure = co_await detail::run_group(group, TaskState::kWaitGroupWait, [&] {
    for (std::size_t index = 0; index < work.size(); ++index) {
      group.scope.spawn("when_all", detail::run_one(std::move(work[index]), &slots[index], &group));
    }
  });
  if (failure) std::rethrow_exception(failure);
  if (group.cancelled) throw Cancelled(*group.cancelled);
  std::vector<detail::Value<T>> values;
  values.reserve(slots.size());
  for (auto& slot : slots) values.push_back(std::move(*slot));
  co_return values;
}

// Runs all at once; the first that succeeds wins and the others are cancelled and joined. All failing: the first
// failure is thrown.
// Cancel: a value that came is returned even so.
// Errors: kInvalidArgument where `work` is empty.
template <typename T>
struct First {
  std::size_t index;
  detail::Value<T> value;
};

template <typename T>
Task<First<T>> first_of(std::vector<Task<T>> work) {
  if (work.empty()) throw Error(ErrorClass::kInvalidArgument, "first_of: nothing to wait for");
  std::optional<detail::Value<T>> value;
  detail::Group group("task.first_of");
  const auto failure = co_await detail::run_group(group, TaskState::kSelect, [&] {
    for (std::size_t index = 0; index < work.size(); ++index) {
      group.scope.spawn("first_of", detail::run_first(std::move(work[index]), &value, index, &group));
    }
  });
  if (group.winner) co_return First<T>{*group.winner, std::move(*value)};
  this_task::cancel_token().throw_if_cancelled();
  if (failure) std::rethrow_exception(failure);
  throw Cancelled(*group.cancelled);
}

// Errors: Error{kDeadlineExceeded} where `timeout` passed first; `work` has then been cancelled and has ended.
template <typename T>
Task<T> with_deadline(std::chrono::nanoseconds timeout, Task<T> work) {
  DeadlineScope deadline(timeout);
  try {
    co_return co_await std::move(work);
  } catch (const Cancelled&) {
    if (!deadline.expired()) throw;
  }
  throw Error(ErrorClass::kDeadlineExceeded, "deadline exceeded");
}

// Runs `work` out of reach of the task's token, for clean-up that awaits and for what must run to its end; its own
// bound keeps it from holding the task for ever.
template <typename T>
Task<T> shielded(std::chrono::nanoseconds timeout, Task<T> work) {
  DeadlineScope shield(timeout, CancelScope::Kind::kShield);
  co_return co_await std::move(work);
}

}  // namespace quoll::task
