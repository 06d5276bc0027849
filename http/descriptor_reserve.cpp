#include "http/descriptor_reserve.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "task/error.hpp"

namespace quoll::http {

DescriptorReserve::DescriptorReserve(std::size_t size) : size_(size), null_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  for (std::size_t i = 0; i < size_; ++i) {
    kept_.emplace_back(::fcntl(null_.get(), F_DUPFD_CLOEXEC, 0));
    if (!kept_.back()) throw system_error(errno, "keep descriptors in reserve");
  }
}

bool DescriptorReserve::give() {
  if (kept_.empty()) return false;
  kept_.pop_back();
  return true;
}

void DescriptorReserve::take(UniqueFd fd) {
  if (!fd || kept_.size() >= size_) return;
  // In place: a close and a new open would let another thread come in between.
  if (::dup3(null_.get(), fd.get(), O_CLOEXEC) >= 0) kept_.push_back(std::move(fd));
}

}  // namespace quoll::http
