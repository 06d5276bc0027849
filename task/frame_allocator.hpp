// Memory for coroutine frames: a free list per thread and size class. Off under sanitizers, where it would hide a
// use after free.
#pragma once

#include <cstddef>
#include <new>

namespace quoll::task {

class FrameAllocator {
 public:
#ifdef QUOLL_SANITIZED
  static void* allocate(std::size_t size) { return ::operator new(size); }
  static void deallocate(void* block, std::size_t) { ::operator delete(block); }
#else
  static void* allocate(std::size_t size) {
    const std::size_t index = class_of(size);
    if (index >= kClasses) return ::operator new(size);
    FreeList& list = lists_[index];
    if (list.head == nullptr) return ::operator new(index * kGranule + kFirstSize);
    Block* const block = list.head;
    list.head = block->next;
    --list.length;
    return block;
  }
  static void deallocate(void* block, std::size_t size) {
    const std::size_t index = class_of(size);
    if (index >= kClasses || lists_[index].length >= kLengthMax) {
      ::operator delete(block);
      return;
    }
    FreeList& list = lists_[index];
    list.head = new (block) Block{list.head};
    ++list.length;
  }

 private:
  struct Block {
    Block* next;
  };
  struct FreeList {
    Block* head = nullptr;
    std::size_t length = 0;
  };
  // The sizes that malloc has: multiples of 16, less its own header.
  static constexpr std::size_t kGranule = 16;
  static constexpr std::size_t kFirstSize = 8;
  static constexpr std::size_t kClasses = 128;  // up to 2 KiB
  static constexpr std::size_t kLengthMax = 64;
  static std::size_t class_of(std::size_t size) { return (size + kGranule - 1 - kFirstSize) / kGranule; }
  static constinit thread_local FreeList lists_[kClasses];
#endif
};

}  // namespace quoll::task
