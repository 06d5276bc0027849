#include "mgr/event/event_bus.hpp"

#include <algorithm>
#include <chrono>

#include "mgr/wall_clock.hpp"
#include "task/combine.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

std::size_t size_of(const Event& event) {
  std::size_t bytes = sizeof(Event) + event.type.size() + event.action.size() + event.actor_id.size();
  for (const auto& [key, value] : event.attributes) bytes += 64 + key.size() + value.size();
  return bytes;
}

}  // namespace

void EventBus::publish(Event event) {
  std::lock_guard lock(mutex_);
  event.time_ns = wall_now_ns();  // under the lock: the order of the history is that of its times
  history_bytes_ += size_of(event);
  history_.push_back(std::make_shared<const Event>(std::move(event)));
  while (history_.size() > kHistoryMax || (history_bytes_ > kHistoryBytes && history_.size() > 1)) {
    history_bytes_ -= size_of(*history_.front());
    history_.pop_front();
    ++first_;
  }
  for (const Follower& follower : followers_) {
    char word = 0;
    follower.sender.try_send(word);  // no room: a word is on its way already
  }
}

void EventBus::release() {
  std::lock_guard lock(mutex_);
  released_ = true;
  for (const Follower& follower : followers_) follower.sender.close();
}

std::size_t EventBus::follower_count() const {
  std::lock_guard lock(mutex_);
  return followers_.size();
}

std::uint64_t EventBus::add_follower(task::Sender<char> sender, std::uint64_t key, bool from_history) {
  std::lock_guard lock(mutex_);
  if (released_) sender.close();
  followers_.push_back({key, std::move(sender)});
  return from_history ? first_ : first_ + history_.size();
}

void EventBus::remove_follower(std::uint64_t key) {
  std::lock_guard lock(mutex_);
  std::erase_if(followers_, [key](const Follower& follower) { return follower.key == key; });
}

std::shared_ptr<const Event> EventBus::at(std::uint64_t position) const {
  std::lock_guard lock(mutex_);
  if (position < first_) {
    throw Error(ErrorClass::kResourceExhausted, "events were published faster than this client reads them");
  }
  const std::uint64_t index = position - first_;
  if (index < history_.size()) return history_[index];
  if (released_) throw Error(ErrorClass::kUnavailable, "the daemon stops");
  return nullptr;
}

EventFollower::EventFollower(EventBus& bus, EventQuery query) : bus_(bus), query_(std::move(query)) {
  auto [sender, receiver] = task::make_channel<char>(1);
  growth_ = std::move(receiver);
  {
    std::lock_guard lock(bus_.mutex_);
    key_ = bus_.next_key_++;
  }
  position_ = bus_.add_follower(std::move(sender), key_, query_.since_ns || query_.until_ns);
}

EventFollower::~EventFollower() { bus_.remove_follower(key_); }

task::Task<std::shared_ptr<const Event>> EventFollower::next() {
  while (!until_passed_) {
    // Asked before the look: what was published before that time is then found by it.
    const bool past = query_.until_ns && wall_now_ns() >= *query_.until_ns;
    while (std::shared_ptr<const Event> event = bus_.at(position_)) {
      ++position_;
      if (query_.since_ns && event->time_ns < *query_.since_ns) continue;
      if (query_.until_ns && event->time_ns > *query_.until_ns) continue;
      if (!query_.wanted || query_.wanted(*event)) co_return event;
    }
    until_passed_ = past;
    if (!past) co_await wait_for_more();
  }
  co_return nullptr;
}

task::Task<void> EventFollower::wait_for_more() {
  if (!query_.until_ns) {
    co_await growth_.receive();
    co_return;
  }
  auto receive = [](const task::Receiver<char>& growth) -> task::Task<void> { co_await growth.receive(); };
  try {
    co_await task::with_deadline(std::chrono::nanoseconds(*query_.until_ns - wall_now_ns()), receive(growth_));
  } catch (const Error& error) {
    if (error.error_class() != ErrorClass::kDeadlineExceeded) throw;
  }
}

}  // namespace quoll::mgr
