// What the kernel and malloc say of this process.
#pragma once

#include <cstdint>

namespace quoll::debug {

// 0 for what cannot be read.
struct ProcessStats {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  // since the epoch
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t descriptors_max = 0;
  std::uint64_t threads = 0;
};
ProcessStats process_stats();

struct HeapStats {
  std::uint64_t in_use_bytes = 0;  // by the program, mapped blocks included
  std::uint64_t system_bytes = 0;  // that malloc has from the kernel
  std::uint64_t free_bytes = 0;    // held back for the next allocations
  std::uint64_t mapped_bytes = 0;  // of blocks that are mapped one by one
};
HeapStats heap_stats();

}  // namespace quoll::debug
