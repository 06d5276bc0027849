#include "debug/gops_commands.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "debug/heap_sampler.hpp"
#include "debug/profiles.hpp"
#include "debug/task_trace.hpp"
#include "task/blocking.hpp"
#include "task/error.hpp"
#include "task/unique_fd.hpp"

namespace quoll::debug {
namespace {

constexpr std::size_t kBinaryPieceBytes = 256 * 1024;

void append_number(std::string& text, const char* name, std::size_t value) {
  text.append(name).append(": ").append(std::to_string(value)).append("\n");
}

// "heap-sys: 1.25MB (1310720 bytes)", as gops writes sizes.
void append_size(std::string& text, const char* name, std::size_t bytes) {
  char size[64];
  std::snprintf(size, sizeof size, "%.2fMB (%zu bytes)", static_cast<double>(bytes) / (1 << 20), bytes);
  text.append(name).append(": ").append(size).append("\n");
}

std::size_t thread_count() {
  std::error_code error;
  std::filesystem::directory_iterator threads("/proc/self/task", error);
  return static_cast<std::size_t>(std::distance(begin(threads), end(threads)));
}

std::size_t resident_bytes() {
  std::size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::string stats(const task::Runtime& runtime) {
  std::string text;
  append_number(text, "goroutines", runtime.task_count());
  append_number(text, "OS threads", thread_count());
  append_number(text, "GOMAXPROCS", runtime.workers().size());
  append_number(text, "num CPU", std::thread::hardware_concurrency());
  return text;
}

// Go's words for what the C library knows of its heap; what has no meaning without a garbage collector is left out.
std::string memory_stats() {
  const auto heap = ::mallinfo2();
  std::string text;
  append_size(text, "alloc", heap.uordblks + heap.hblkhd);
  append_size(text, "sys", resident_bytes());
  append_size(text, "heap-alloc", heap.uordblks + heap.hblkhd);
  append_size(text, "heap-sys", heap.arena + heap.hblkhd);
  append_size(text, "heap-idle", heap.fordblks);
  append_size(text, "heap-in-use", heap.uordblks + heap.hblkhd);
  return text;
}

task::Task<void> send_binary(TextSink sink) {
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!file) throw system_error(errno, "open /proc/self/exe");
  std::string piece;
  while (true) {
    piece.resize(kBinaryPieceBytes);
    const ssize_t count = co_await task::blocking([&] { return ::read(file.get(), piece.data(), piece.size()); });
    if (count < 0) throw system_error(errno, "read /proc/self/exe");
    if (count == 0) co_return;
    piece.resize(static_cast<std::size_t>(count));
    co_await sink(piece);
  }
}

}  // namespace

task::Task<void> answer_gops(task::Runtime& runtime, GopsCommand command, TextSink sink) {
  std::string text;
  switch (command) {
    case GopsCommand::kStackTrace:
      co_await stream_text(runtime, {}, std::move(sink));
      co_return;
    case GopsCommand::kBinary:
      co_await send_binary(std::move(sink));
      co_return;
    case GopsCommand::kGc:
      // There is no garbage; what comes nearest gives free memory back to the kernel.
      co_await task::blocking([] { ::malloc_trim(0); });
      text = "ok";
      break;
    case GopsCommand::kMemStats:
      text = memory_stats();
      break;
    case GopsCommand::kVersion:
      text = "quoll " QUOLL_VERSION "\n";
      break;
    case GopsCommand::kStats:
      text = stats(runtime);
      break;
    case GopsCommand::kSetGcPercent:
      text = "there is no garbage collector to set a percentage of\n";
      break;
    case GopsCommand::kHeapProfile:
      if (heap_is_sampled()) text = co_await take_profile(runtime, *find_cumulative_profile("heap"));
      break;
    case GopsCommand::kCpuProfile:
      text = co_await take_cpu_profile(std::chrono::seconds(30));
      break;
    case GopsCommand::kTrace:
      co_await stream_trace(runtime, std::chrono::seconds(5), std::move(sink));
      co_return;
  }
  if (!text.empty()) co_await sink(text);
}

}  // namespace quoll::debug
