// Asio operations as awaits: auto [error, n] = co_await socket.async_read_some(buffer, task::use);
//
// The operation's cancellation is bound to the task's token: when that is cancelled, the operation is cancelled and
// the await throws Cancelled. An operation that completed all the same keeps its result; the next await throws.
// REQUIRES: the I/O object belongs to the io_context of the task's worker.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "task/record.hpp"
#include "task/worker.hpp"

namespace quoll::task {

struct UseTask {};
inline constexpr UseTask use;

template <typename Initiation, typename Arguments, typename... Results>
class AsioWait final : public Wait {
  struct Handler {
    using executor_type = boost::asio::io_context::executor_type;
    using cancellation_slot_type = boost::asio::cancellation_slot;
    executor_type get_executor() const noexcept { return wait->task_->worker->context().get_executor(); }
    cancellation_slot_type get_cancellation_slot() const noexcept { return wait->signal_.slot(); }
    void operator()(Results... results) const { wait->complete(std::move(results)...); }
    AsioWait* wait;
  };

 public:
  AsioWait(Initiation initiation, Arguments arguments)
      : Wait(TaskState::kIoWait), initiation_(std::move(initiation)), arguments_(std::move(arguments)) {}
  bool await_ready() const noexcept { return token_cancelled(); }
  void await_suspend(std::coroutine_handle<> self) {
    suspend(self);
    std::apply([this](auto&... arguments) { std::move(initiation_)(Handler{this}, std::move(arguments)...); },
               arguments_);
  }
  std::tuple<Results...> await_resume() {
    if (!results_) throw_cancelled();
    if (std::get<0>(*results_) == boost::asio::error::operation_aborted) throw_if_cancelled();
    return std::move(*results_);
  }
  void cancel() override { signal_.emit(boost::asio::cancellation_type::terminal); }

 private:
  void complete(Results... results) {
    results_.emplace(std::move(results)...);
    task_->worker->resume(*task_);
  }

  Initiation initiation_;
  Arguments arguments_;
  boost::asio::cancellation_signal signal_;
  std::optional<std::tuple<Results...>> results_;
};

}  // namespace quoll::task

template <typename... Results>
class boost::asio::async_result<quoll::task::UseTask, void(Results...)> {
 public:
  template <typename Initiation, typename... Arguments>
  static auto initiate(Initiation&& initiation, quoll::task::UseTask, Arguments&&... arguments) {
    using Packed = std::tuple<std::decay_t<Arguments>...>;
    return quoll::task::AsioWait<std::decay_t<Initiation>, Packed, std::decay_t<Results>...>(
        std::forward<Initiation>(initiation), Packed(std::forward<Arguments>(arguments)...));
  }
};
