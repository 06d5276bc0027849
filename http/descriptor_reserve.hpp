// DescriptorReserve: some descriptors kept back, so that a listener can still accept when the process has run out.
#pragma once

#include <cstddef>
#include <vector>

#include "task/unique_fd.hpp"

namespace quoll::http {

// Thread: one worker's.
class DescriptorReserve {
 public:
  // Errors: Error where there are not so many now.
  explicit DescriptorReserve(std::size_t size);

  // Closes one of them, so that the next call that opens a descriptor succeeds; false where none is left. Another
  // thread may be faster: then the caller asks again.
  bool give();
  // Takes a descriptor that is to be closed, which becomes one of the reserve at once where that is not full.
  void take(UniqueFd fd);

 private:
  const std::size_t size_;
  const UniqueFd null_;  // /dev/null
  std::vector<UniqueFd> kept_;
};

}  // namespace quoll::http
