#include "mgr/log/log_follower.hpp"

#include <chrono>

#include "mgr/log/log_seek.hpp"
#include "mgr/log/log_watcher.hpp"
#include "mgr/wall_clock.hpp"
#include "task/blocking.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

LogVariant variant_of(LogFilter filter, LogFraming framing) {
  filter.tail.reset();
  return {filter, framing};
}

}  // namespace

LogFollower::LogFollower(std::shared_ptr<LogHub> hub, LogWatcher& watcher, LogFilter filter, LogFraming framing,
                         bool follow)
    : hub_(std::move(hub)),
      watcher_(watcher),
      tail_(filter.tail),
      variant_(variant_of(filter, framing)),
      follow_(follow),
      key_(hub_->next_key()) {
  if (!follow_) return;
  auto [sender, receiver] = task::make_channel<LogHub::Growth>(1);
  growth_ = std::move(receiver);
  hub_->add_follower(std::move(sender), key_);
  watcher_.add(hub_);
}

LogFollower::~LogFollower() {
  if (!follow_) return;
  watcher_.remove(hub_);
  hub_->remove_follower(key_);
}

task::Task<std::shared_ptr<const LogChunk>> LogFollower::next() {
  if (!position_) co_await seek();
  while (!until_passed_) {
    // Asked before the look: what was written before the container ended is then found by it.
    const bool ended = !follow_ || hub_->ended();
    std::shared_ptr<const LogChunk> chunk = co_await chunk_at_position();
    if (chunk) {
      position_ = chunk->end;
      until_passed_ = chunk->until_passed;
      if (!chunk->bytes.empty()) co_return chunk;
      continue;
    }
    if (ended || !co_await wait_for_growth()) break;
  }
  if (follow_ && hub_->released()) throw Error(ErrorClass::kUnavailable, "the daemon stops");
  co_return nullptr;
}

task::Task<void> LogFollower::seek() {
  LogFilter filter = variant_.filter;
  filter.tail = tail_;
  position_ = co_await task::blocking([this, filter] { return position_for_filter(hub_->files(), filter); });
}

task::Task<std::shared_ptr<const LogChunk>> LogFollower::chunk_at_position() {
  std::shared_ptr<const LogChunk> chunk;
  if (follow_) chunk = hub_->cached(*position_, variant_);
  if (chunk) co_return chunk;
  if (at_tip_) {
    chunk = hub_->read(*position_, variant_, true);
  } else {
    chunk = co_await task::blocking([this] { return hub_->read(*position_, variant_, follow_); });
  }
  at_tip_ = follow_ && !chunk;
  if (chunk && follow_) hub_->share(chunk, variant_);
  co_return chunk;
}

task::Task<bool> LogFollower::wait_for_growth() {
  if (!variant_.filter.until_ns) co_return (co_await growth_.receive()).has_value();
  const std::int64_t left_ns = *variant_.filter.until_ns - wall_now_ns();
  if (left_ns <= 0) co_return false;
  auto receive = [](const task::Receiver<LogHub::Growth>& growth) -> task::Task<bool> {
    co_return (co_await growth.receive()).has_value();
  };
  try {
    co_return co_await task::with_deadline(std::chrono::nanoseconds(left_ns), receive(growth_));
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kDeadlineExceeded) throw;
  }
  co_return true;  // one more look for what was written before `until`
}

}  // namespace quoll::mgr
