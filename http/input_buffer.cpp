#include "http/input_buffer.hpp"

#include <algorithm>
#include <cstring>

namespace quoll::http {

std::span<char> InputBuffer::room(std::size_t max) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == capacity_) {
    if (begin_ > 0 && (begin_ >= capacity_ / 2 || capacity_ >= max)) {
      const std::size_t held = size();
      std::memmove(data_.get(), data_.get() + begin_, held);
      begin_ = 0;
      end_ = static_cast<std::uint32_t>(held);
    } else if (capacity_ < max) {
      grow(std::max(kFirstBlock, std::min(static_cast<std::uint32_t>(max), capacity_ * 2)));
    }
  }
  return {data_.get() + end_, capacity_ - end_};
}

void InputBuffer::grow(std::uint32_t capacity) {
  std::unique_ptr<char[]> data(new char[capacity]);
  const std::size_t held = size();
  if (held > 0) std::memcpy(data.get(), data_.get() + begin_, held);
  data_ = std::move(data);
  capacity_ = capacity;
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(held);
}

void InputBuffer::release() {
  if (!empty() || capacity_ <= kFirstBlock) return;
  data_.reset();
  capacity_ = begin_ = end_ = 0;
}

}  // namespace quoll::http
