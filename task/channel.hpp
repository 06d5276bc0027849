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
  std::size_t senders_ = 0;
  std::size_t receivers_ = 0;
  std::uint64_t last_sender_id_ = 0;  // the task that made the newest Sender, for dumps
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
    std::lock_guard lock(channel_->mutex_);
    // A task that made the sender for somebody else (a hub that tells it) does not wait for itself.
    const bool known = channel_->senders_ > 0 && channel_->last_sender_id_ != task_->id;
    return {channel_.get(), known ? channel_->last_sender_id_ : 0};
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
  WaitTarget target() const override { return {channel_.get(), 0}; }

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
class Sender {
 public:
  Sender() = default;
  explicit Sender(std::shared_ptr<ChannelState<T>> channel);
  Sender(const Sender& other) : Sender(other.channel_) {}
  Sender(Sender&& other) noexcept = default;
  Sender& operator=(Sender other) noexcept {
    std::swap(channel_, other.channel_);
    return *this;
  }
  ~Sender();

  // co_await send(v): true once it is in the channel, false where the channel is closed or has no receiver left.
  // REQUIRES: not moved from.
  SendWait<T> send(T value) const {
    QUOLL_ASSERT(channel_ != nullptr);
    return SendWait<T>(channel_, std::move(value));
  }
  // Never waits: false where there is no room or nobody to receive; `value` is untouched then.
  bool try_send(T& value) const {
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
  std::shared_ptr<ChannelState<T>> channel_;
};

// The other end. Where the last receiver goes, senders are told that nobody will receive.
template <typename T>
class Receiver {
 public:
  Receiver() = default;
  explicit Receiver(std::shared_ptr<ChannelState<T>> channel) : channel_(std::move(channel)) {
    std::lock_guard lock(channel_->mutex_);
    ++channel_->receivers_;
  }
  Receiver(Receiver&&) noexcept = default;
  Receiver& operator=(Receiver other) noexcept {
    std::swap(channel_, other.channel_);
    return *this;
  }
  ~Receiver() {
    if (!channel_) return;
    std::deque<T> unreceived;  // destroyed without the lock: a value may hold an end of this channel
    std::lock_guard lock(channel_->mutex_);
    if (--channel_->receivers_ > 0) return;
    channel_->close_locked();
    unreceived.swap(channel_->buffer_);
  }

  ReceiveWait<T> receive() const {
    QUOLL_ASSERT(channel_ != nullptr);
    return ReceiveWait<T>(channel_);
  }
  std::optional<T> try_receive() const {
    std::lock_guard lock(channel_->mutex_);
    return channel_->take();
  }

 private:
  std::shared_ptr<ChannelState<T>> channel_;
};

std::uint64_t running_task_id();  // 0 outside of tasks

template <typename T>
Sender<T>::Sender(std::shared_ptr<ChannelState<T>> channel) : channel_(std::move(channel)) {
  if (!channel_) return;
  std::lock_guard lock(channel_->mutex_);
  ++channel_->senders_;
  channel_->last_sender_id_ = running_task_id();
}

template <typename T>
Sender<T>::~Sender() {
  if (!channel_) return;
  std::lock_guard lock(channel_->mutex_);
  if (--channel_->senders_ == 0) channel_->close_locked();
}

// `capacity` 0: a sender waits until a receiver takes the value.
template <typename T>
std::pair<Sender<T>, Receiver<T>> make_channel(std::size_t capacity) {
  auto channel = std::make_shared<ChannelState<T>>(capacity);
  return {Sender<T>(channel), Receiver<T>(channel)};
}

}  // namespace quoll::task
