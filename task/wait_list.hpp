// An intrusive FIFO of waiters, for the objects that tasks wait on.
#pragma once

#include <coroutine>

#include "task/record.hpp"

namespace quoll::task {

template <typename W>
class WaitList;

// A wait that queues in an object's list. The object's mutex guards `linked` and the list: whoever unlinks the waiter,
// the event or cancel(), is the one who wakes it.
class ListWait : public Wait {
 protected:
  using Wait::Wait;
  ~ListWait() override = default;

 private:
  template <typename W>
  friend class WaitList;
  ListWait* previous_ = nullptr;
  ListWait* next_ = nullptr;
  bool linked_ = false;
};

template <typename W>
class WaitList {
 public:
  bool empty() const { return head_ == nullptr; }
  std::size_t size() const { return size_; }
  W* front() const { return static_cast<W*>(head_); }

  void push_back(W& waiter) {
    ListWait& node = waiter;
    node.previous_ = tail_;
    node.next_ = nullptr;
    node.linked_ = true;
    (tail_ != nullptr ? tail_->next_ : head_) = &node;
    tail_ = &node;
    ++size_;
  }
  // False where the waiter is not (any more) in the list.
  bool remove(W& waiter) {
    ListWait& node = waiter;
    if (!node.linked_) return false;
    node.linked_ = false;
    (node.previous_ != nullptr ? node.previous_->next_ : head_) = node.next_;
    (node.next_ != nullptr ? node.next_->previous_ : tail_) = node.previous_;
    --size_;
    return true;
  }
  W* pop_front() {
    W* const waiter = front();
    if (waiter != nullptr) remove(*waiter);
    return waiter;
  }

 private:
  ListWait* head_ = nullptr;
  ListWait* tail_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace quoll::task
