#include "debug/process_stats.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace quoll::debug {
namespace {

std::uint64_t entries_of(const char* directory) {
  std::error_code error;
  std::uint64_t count = 0;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) ++count;
  return count;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// When the machine was started, in seconds since the epoch.
double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double value = 0;
    if (word == "btime" && file >> value) return value;
  }
  return 0;
}

void read_stat(ProcessStats& stats) {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::size_t name_end = text.rfind(')');  // a name may hold anything
  if (name_end == std::string::npos) return;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int number = 3; fields >> field; ++number) {
    if (number == 20) stats.threads = std::stoull(field);
    if (number == 22) {
      stats.start_time_seconds = boot_time() + std::stod(field) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
    if (number == 23) stats.virtual_bytes = std::stoull(field);
    if (number == 24) stats.resident_bytes = std::stoull(field) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
}

}  // namespace

ProcessStats process_stats() {
  ProcessStats stats;
  read_stat(stats);
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0)
    stats.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.descriptors_max = limit.rlim_cur;
  const std::uint64_t open = entries_of("/proc/self/fd");
  stats.open_descriptors = open > 0 ? open - 1 : 0;  // one is of the listing itself
  return stats;
}

HeapStats heap_stats() {
  const struct mallinfo2 info = ::mallinfo2();
  return {.in_use_bytes = info.uordblks + info.hblkhd,
          .system_bytes = info.arena + info.hblkhd,
          .free_bytes = info.fordblks,
          .mapped_bytes = info.hblkhd};
}

}  // namespace quoll::debug
