#include "task/frame_allocator.hpp"

namespace quoll::task {
#ifndef QUOLL_SANITIZED
constinit thread_local FrameAllocator::FreeList FrameAllocator::lists_[FrameAllocator::kClasses];
#endif
}  // namespace quoll::task
