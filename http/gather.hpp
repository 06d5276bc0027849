// Gather: what is left to write of a head, a list of buffers and a tail.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string_view>

namespace quoll::http {

// Lifetime: refers to the bytes and to the list.
class Gather {
 public:
  explicit Gather(std::string_view head, std::span<const std::string_view> body = {}, std::string_view tail = {})
      : head_(head), body_(body), tail_(tail) {}

  bool empty() const { return head_.empty() && body_.empty() && tail_.empty(); }
  std::string_view head() const { return head_; }
  void drop_head() { head_ = {}; }
  // Fills in what comes next; returns how many entries.
  int fill(std::span<iovec> vectors) const;
  void consume(std::size_t count);
  std::size_t size() const;

 private:
  std::string_view head_;
  std::span<const std::string_view> body_;
  std::size_t body_offset_ = 0;  // of the first buffer
  std::string_view tail_;
};

}  // namespace quoll::http
