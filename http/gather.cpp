#include "http/gather.hpp"

#include <algorithm>

namespace quoll::http {

int Gather::fill(std::span<iovec> vectors) const {
  std::size_t used = 0;
  const auto add = [&](std::string_view bytes) {
    if (!bytes.empty() && used < vectors.size()) vectors[used++] = {const_cast<char*>(bytes.data()), bytes.size()};
  };
  add(head_);
  for (std::size_t i = 0; i < body_.size() && used < vectors.size(); ++i) {
    add(body_[i].substr(i == 0 ? body_offset_ : 0));
  }
  add(tail_);
  return static_cast<int>(used);
}

void Gather::consume(std::size_t count) {
  const std::size_t from_head = std::min(count, head_.size());
  head_.remove_prefix(from_head);
  count -= from_head;
  while (!body_.empty()) {
    const std::size_t left = body_[0].size() - body_offset_;
    if (count < left) {
      body_offset_ += count;
      return;
    }
    count -= left;
    body_ = body_.subspan(1);
    body_offset_ = 0;
  }
  tail_.remove_prefix(std::min(count, tail_.size()));
}

std::size_t Gather::size() const {
  std::size_t size = head_.size() + tail_.size();
  for (const std::string_view bytes : body_) size += bytes.size();
  return size - body_offset_;
}

}  // namespace quoll::http
