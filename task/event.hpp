// Event: a flag that tasks can wait for.
#pragma once

#include <mutex>

#include "task/wait_list.hpp"

namespace quoll::task {

class EventWait;

// Stays set until reset(); set() wakes all who wait.
// Thread: any. Lifetime: outlives its waiters; one that set() has woken may destroy it at once.
class Event {
 public:
  void set();
  void reset();
  bool is_set() const;
  // co_await wait(): returns at once where the event is set.
  EventWait wait();

 private:
  friend class EventWait;
  mutable std::mutex mutex_;
  bool set_ = false;             // guarded by mutex_
  WaitList<EventWait> waiters_;  // guarded by mutex_
};

class EventWait final : public ListWait {
 public:
  explicit EventWait(Event& event) : ListWait(TaskState::kCondWait), event_(event) {}
  bool await_ready() const noexcept { return token_cancelled(); }
  bool await_suspend(std::coroutine_handle<> self);
  void await_resume();
  void cancel() override;
  WaitTarget target() const override { return {.object = &event_}; }

 private:
  friend class Event;
  Event& event_;
  bool suspended_ = false;
  bool signalled_ = false;
};

inline EventWait Event::wait() { return EventWait(*this); }

}  // namespace quoll::task
