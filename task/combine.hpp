// Several tasks at once, and bounds in time: when_all, first_of, with_deadline, shielded.
#pragma once

#include <chrono>
#include <optional>
#include <tuple>
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

// Runs `work`, keeps its value in *slot; a failure cancels the siblings and ends the join.
template <typename T>
Task<void> run_into(Task<T> work, std::optional<Value<T>>* slot, Scope* scope) {
  try {
    slot->emplace(co_await valued(std::move(work)));
  } catch (...) {
    scope->cancel(CancelReason::kParent);
    throw;
  }
}

template <typename T>
Task<void> run_first(Task<T> work, std::optional<Value<T>>* slot, std::optional<std::size_t>* winner, std::size_t index,
                     Scope* scope) {
  Value<T> value = co_await valued(std::move(work));
  if (!*winner) {
    *winner = index;
    slot->emplace(std::move(value));
    scope->cancel(CancelReason::kParent);
  }
}

}  // namespace detail

// Runs all at once and returns their values (Nothing for void). The first failure cancels the others, and is what is
// thrown after all have ended.
template <typename... Ts>
Task<std::tuple<detail::Value<Ts>...>> when_all(Task<Ts>... work) {
  std::tuple<std::optional<detail::Value<Ts>>...> slots;
  Scope scope("task.when_all");
  auto slots_of = std::apply([](auto&... slot) { return std::make_tuple(&slot...); }, slots);
  std::apply([&](auto*... slot) { (scope.spawn("when_all", detail::run_into(std::move(work), slot, &scope)), ...); },
             slots_of);
  co_await scope.join();
  this_task::cancel_token().throw_if_cancelled();
  co_return std::apply([](auto&... slot) { return std::tuple<detail::Value<Ts>...>(std::move(*slot)...); }, slots);
}

template <typename T>
Task<std::vector<detail::Value<T>>> when_all(std::vector<Task<T>> work) {
  std::vector<std::optional<detail::Value<T>>> slots(work.size());
  Scope scope("task.when_all");
  for (std::size_t index = 0; index < work.size(); ++index) {
    scope.spawn("when_all", detail::run_into(std::move(work[index]), &slots[index], &scope));
  }
  co_await scope.join();
  this_task::cancel_token().throw_if_cancelled();
  std::vector<detail::Value<T>> values;
  values.reserve(slots.size());
  for (auto& slot : slots) values.push_back(std::move(*slot));
  co_return values;
}

// Runs all at once; the first that succeeds wins and the others are cancelled and joined. All failing: the first
// failure is thrown.
template <typename T>
struct First {
  std::size_t index;
  detail::Value<T> value;
};

template <typename T>
Task<First<T>> first_of(std::vector<Task<T>> work) {
  std::optional<detail::Value<T>> value;
  std::optional<std::size_t> winner;
  Scope scope("task.first_of");
  for (std::size_t index = 0; index < work.size(); ++index) {
    scope.spawn("first_of", detail::run_first(std::move(work[index]), &value, &winner, index, &scope));
  }
  std::exception_ptr failure;
  try {
    co_await scope.join();
  } catch (...) {
    failure = std::current_exception();
  }
  if (!winner) {
    this_task::cancel_token().throw_if_cancelled();
    if (failure) std::rethrow_exception(failure);
    throw Error(ErrorClass::kInternal, "first_of: no task succeeded");
  }
  co_return First<T>{*winner, std::move(*value)};
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
