#include "daemon/startup_pages.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace quoll::daemon {
namespace {

struct Range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

// Code is never written to, so what its file has is all that there is of it. Data that is read-only by now may have
// been relocated: it stays.
std::vector<Range> code_of_files() {
  std::vector<Range> ranges;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    Range range;
    char permissions[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &range.begin, &range.end, permissions) != 3) continue;
    const bool is_of_file = line.find('/') != std::string::npos;
    if (std::string(permissions) == "r-xp" && is_of_file) ranges.push_back(range);
  }
  return ranges;
}

}  // namespace

void drop_startup_pages() {
  for (const Range& range : code_of_files()) {
    ::madvise(reinterpret_cast<void*>(range.begin), range.end - range.begin, MADV_DONTNEED);
  }
}

}  // namespace quoll::daemon
