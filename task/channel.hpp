// Channel<T>: a bounded queue between tasks, with Go's meaning of close. It knows how many senders and receivers are
// left, so waiting for somebody who cannot come any more ends instead of hanging.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "task/assert.hpp"
#include "task/channel_ends.hpp"
#include "task/record.hpp"
#include "task/wait_list.hpp"

namespace quoll::task {

template <typename T>
class Sender;
template <typename T>
class Receiver;

template <typename T>
class ReceiveWait;
template <typename T>
class SendWait;

// The shared middle; used through Sender and Receiver.
// Thread: any; tasks of different workers may share one.
template <typename T>
class ChannelState {
 public:
  explicit ChannelState(std::size_t capacity) : capacity_(capacity) {}

 private:
  friend class Sender<T>;
  friend class Receiver<T>;
  friend class ReceiveWait<T>;
  friend class SendWait<T>;

  // REQUIRES: mutex_ held.
  std::optional<T> take();
  bool put(T& value);  // false where there is no room
  void close_locked();

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<T> buffer_;  // guarded by mutex_, as all below
  WaitList<ReceiveWait<T>> waiting_receivers_;
  WaitList<SendWait<T>> waiting_senders_;
  ChannelEnds senders_;
  ChannelEnds receivers_;
  bool closed_ = false;
};

// Waits for a value; nothing once the channel is closed (or the last sender gone) and drained.
template <typename T>
class ReceiveWait final : public ListWait {
 public:
  explicit ReceiveWait(std::shared_ptr<ChannelState<T>> channel)
      : ListWait(TaskState::kChanReceive), channel_(std::move(channel)) {}
  bool await_ready() const noexcept { return token_cancelled(); }
  bool await_suspend(std::coroutine_handle<> self) {
    std::lock_guard lock(channel_->mutex_);
    started_ = true;
    value_ = channel_->take();
    if (value_ || channel_->closed_) return false;
    suspend(self);
    channel_->waiting_receivers_.push_back(*this);
    return true;
  }
  std::optional<T> await_resume() {
    if (!started_ || cancelled_) throw_cancelled();
    return std::move(value_);
  }
  void cancel() override {
    std::lock_guard lock(channel_->mutex_);
    if (!channel_->waiting_receivers_.remove(*this)) return;
    cancelled_ = true;
    wake();
  }
  WaitTarget target() const override {
    WaitTarget target;
    target.object = channel_.get();
    std::lock_guard lock(channel_->mutex_);
    channel_->senders_.list(target, task_->id);
    return target;
  }

 private:
  friend class ChannelState<T>;
  std::shared_ptr<ChannelState<T>> channel_;
  std::optional<T> value_;
  bool started_ = false;
  bool cancelled_ = false;
};

// Waits for room; false where nobody will receive any more.
template <typename T>
class SendWait final : public ListWait {
 public:
  SendWait(std::shared_ptr<ChannelState<T>> channel, T value)
      : ListWait(TaskState::kChanSend), channel_(std::move(channel)), value_(std::move(value)) {}
  bool await_ready() const noexcept { return token_cancelled(); }
  bool await_suspend(std::coroutine_handle<> self) {
    std::lock_guard lock(channel_->mutex_);
    started_ = true;
    if (channel_->closed_) return false;
    sent_ = channel_->put(value_);
    if (sent_) return false;
    suspend(self);
    channel_->waiting_senders_.push_back(*this);
    return true;
  }
  bool await_resume() {
    if (!started_ || cancelled_) throw_cancelled();
    return sent_;
  }
  void cancel() override {
    std::lock_guard lock(channel_->mutex_);
    if (!channel_->waiting_senders_.remove(*this)) return;
    cancelled_ = true;
    wake();
  }
  WaitTarget target() const override {
    WaitTarget target;
    target.object = channel_.get();
    std::lock_guard lock(channel_->mutex_);
    channel_->receivers_.list(target, task_->id);
    return target;
  }

 private:
  friend class ChannelState<T>;
  std::shared_ptr<ChannelState<T>> channel_;
  T value_;
  bool started_ = false;
  bool sent_ = false;
  bool cancelled_ = false;
};

template <typename T>
std::optional<T> ChannelState<T>::take() {
  std::optional<T> value;
  if (!buffer_.empty()) {
    value.emplace(std::move(buffer_.front()));
    buffer_.pop_front();
  }
  if (SendWait<T>* const sender = waiting_senders_.pop_front()) {
    if (value) {
      buffer_.push_back(std::move(sender->value_));
    } else {
      value.emplace(std::move(sender->value_));
    }
    sender->sent_ = true;
    sender->wake();
  }
  return value;
}

template <typename T>
bool ChannelState<T>::put(T& value) {
  if (ReceiveWait<T>* const receiver = waiting_receivers_.pop_front()) {
    receiver->value_.emplace(std::move(value));
    receiver->wake();
    return true;
  }
  if (buffer_.size() >= capacity_) return false;
  buffer_.push_back(std::move(value));
  return true;
}

template <typename T>
void ChannelState<T>::close_locked() {
  closed_ = true;
  while (ReceiveWait<T>* const receiver = waiting_receivers_.pop_front()) receiver->wake();
  while (SendWait<T>* const sender = waiting_senders_.pop_front()) sender->wake();
}

// One end; copies count as further senders. The last one's going closes the channel.
template <typename T>
class Sender : private ChannelEnd {
 public:
  Sender() = default;
  explicit Sender(std::shared_ptr<ChannelState<T>> channel) : channel_(std::move(channel)) {
    if (!channel_) return;
    note_maker();
    std::lock_guard lock(channel_->mutex_);
    channel_->senders_.add(*this);
  }
  Sender(const Sender& other) : Sender(other.channel_) {}
  Sender(Sender&& other) noexcept { take(other); }
  Sender& operator=(const Sender& other) {
    if (this != &other) *this = Sender(other);
    return *this;
  }
  Sender& operator=(Sender&& other) noexcept {
    if (this == &other) return *this;
    leave();
    take(other);
    return *this;
  }
  ~Sender() { leave(); }

  // co_await send(v): true once it is in the channel, false where the channel is closed or has no receiver left.
  // REQUIRES: not moved from.
  SendWait<T> send(T value) const {
    QUOLL_ASSERT(channel_ != nullptr);
    note_user();
    return SendWait<T>(channel_, std::move(value));
  }
  // Never waits: false where there is no room or nobody to receive; `value` is untouched then.
  bool try_send(T& value) const {
    note_user();
    std::lock_guard lock(channel_->mutex_);
    return !channel_->closed_ && channel_->put(value);
  }
  bool closed() const {
    std::lock_guard lock(channel_->mutex_);
    return channel_->closed_;
  }
  // Whoever waits gets what is in the channel and then nothing.
  void close() const {
    std::lock_guard lock(channel_->mutex_);
    channel_->close_locked();
  }

 private:
  void take(Sender& other) {
    channel_ = std::move(other.channel_);
    if (!channel_) return;
    std::lock_guard lock(channel_->mutex_);
    channel_->senders_.move(other, *this);
  }
  void leave() {
    if (!channel_) return;
    const std::shared_ptr<ChannelState<T>> channel = std::move(channel_);
    std::lock_guard lock(channel->mutex_);
    channel->senders_.remove(*this);
    if (channel->senders_.size() == 0) channel->close_locked();
  }

  std::shared_ptr<ChannelState<T>> channel_;
};

// The other end. Where the last receiver goes, senders are told that nobody will receive.
template <typename T>
class Receiver : private ChannelEnd {
 public:
  Receiver() = default;
  explicit Receiver(std::shared_ptr<ChannelState<T>> channel) : channel_(std::move(channel)) {
    note_maker();
    std::lock_guard lock(channel_->mutex_);
    channel_->receivers_.add(*this);
  }
  Receiver(Receiver&& other) noexcept { take(other); }
  Receiver& operator=(Receiver&& other) noexcept {
    if (this == &other) return *this;
    leave();
    take(other);
    return *this;
  }
  ~Receiver() { leave(); }

  ReceiveWait<T> receive() const {
    QUOLL_ASSERT(channel_ != nullptr);
    note_user();
    return ReceiveWait<T>(channel_);
  }
  std::optional<T> try_receive() const {
    std::lock_guard lock(channel_->mutex_);
    return channel_->take();
  }

 private:
  void take(Receiver& other) {
    channel_ = std::move(other.channel_);
    if (!channel_) return;
    std::lock_guard lock(channel_->mutex_);
    channel_->receivers_.move(other, *this);
  }
  void leave() {
    if (!channel_) return;
    const std::shared_ptr<ChannelState<T>> channel = std::move(channel_);
    std::deque<T> unreceived;  // destroyed without the lock: a value may hold an end of this channel
    std::lock_guard lock(channel->mutex_);
    channel->receivers_.remove(*this);
    if (channel->receivers_.size() > 0) return;
    channel->close_locked();
    unreceived.swap(channel->buffer_);
  }

  std::shared_ptr<ChannelState<T>> channel_;
};

// `capacity` 0: a sender waits until a receiver takes the value.
template <typename T>
std::pair<Sender<T>, Receiver<T>> make_channel(std::size_t capacity) {
  auto channel = std::make_shared<ChannelState<T>>(capacity);
  return {Sender<T>(channel), Receiver<T>(channel)};
}

}  // namespace quoll::task
