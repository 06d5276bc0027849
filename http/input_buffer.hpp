// InputBuffer: what a connection has received and nobody has used yet. Small while idle, grown by need up to a bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace quoll::http {

// While a read into room() is pending, consume() may be called, room(), reserve() and release() may not: bytes stay
// where they are.
class InputBuffer {
 public:
  std::string_view bytes() const { return {data_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }
  void consume(std::size_t count) { begin_ += static_cast<std::uint32_t>(count); }

  // Where the next bytes go; empty where `max` unused bytes are held already.
  std::span<char> room(std::size_t max);
  void commit(std::size_t count) { end_ += static_cast<std::uint32_t>(count); }
  // Makes the block at least this large.
  void reserve(std::size_t capacity) {
    if (capacity > capacity_) grow(static_cast<std::uint32_t>(capacity));
  }
  // Gives back a block that has grown, where it holds nothing.
  void release();

 private:
  static constexpr std::uint32_t kFirstBlock = 512;
  void grow(std::uint32_t capacity);

  std::unique_ptr<char[]> data_;
  std::uint32_t capacity_ = 0;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
};

}  // namespace quoll::http
