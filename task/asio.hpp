// Asio operations as awaits: auto [error, n] = co_await socket.async_read_some(buffer, task::use);
//
// The operation's cancellation is bound to the task's token: when that is cancelled, the operation is cancelled and
// the await throws Cancelled. An operation that completed all the same keeps its result; the next await throws.
// REQUIRES: the I/O object belongs to the io_context of the task's worker.
#pragma once

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "task/clock.hpp"
#include "task/record.hpp"
#include "task/timer_queue.hpp"
#include "task/worker.hpp"

namespace quoll::task {

struct UseTask {};
inline constexpr UseTask use;

template <typename Initiation, typename Arguments, typename... Results>
class AsioWait final : public Wait, private TimerNode {
  static constexpr bool kHasError =
      std::is_same_v<std::tuple_element_t<0, std::tuple<Results..., void>>, boost::system::error_code>;

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
  bool await_suspend(std::coroutine_handle<> self) {
    suspend(self);
    phase_ = Phase::kInitiating;
    try {
      std::apply([this](auto&... arguments) { std::move(initiation_)(Handler{this}, std::move(arguments)...); },
                 arguments_);
    } catch (...) {
      unsuspend();
      throw;
    }
    phase_ = Phase::kWaiting;
    if (!results_) return true;
    unsuspend();
    return false;
  }
  std::tuple<Results...> await_resume() {
    if (!results_) throw_cancelled();
    if constexpr (kHasError) {
      if (std::get<0>(*results_) == boost::asio::error::operation_aborted) throw_if_cancelled();
    }
    return std::move(*results_);
  }

  // A signal is an edge: one that comes while a composed operation stands between two of its steps is lost. So it is
  // emitted again, less and less often, until the operation has ended.
  void cancel() override {
    phase_ = Phase::kEmitting;
    signal_.emit(boost::asio::cancellation_type::terminal);
    phase_ = Phase::kWaiting;
    if (results_ || armed()) return;
    retry_ms_ = static_cast<std::uint16_t>(std::min<int>(2 * retry_ms_, kRetryMsMax));
    Worker& worker = *task_->worker;
    worker.arm_timer(*this, deadline_after(worker.clock().now_ns(), std::chrono::milliseconds(retry_ms_)));
  }

 private:
  enum class Phase : std::uint8_t { kInitiating, kWaiting, kEmitting };
  static constexpr std::uint16_t kRetryMsMax = 256;

  void fire() override { cancel(); }

  void complete(Results... results) {
    results_.emplace(std::move(results)...);
    if (armed()) task_->worker->disarm_timer(*this);
    // Inside of the initiation await_suspend() goes on, and inside of emit() the signal: neither may be resumed under.
    if (phase_ == Phase::kEmitting) {
      wake();
    } else if (phase_ == Phase::kWaiting) {
      task_->worker->resume(*task_);
    }
  }

  Initiation initiation_;
  Arguments arguments_;
  boost::asio::cancellation_signal signal_;
  Phase phase_ = Phase::kWaiting;
  std::uint16_t retry_ms_ = 1;
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
