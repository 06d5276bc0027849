#include "mgr/runtime/host_process.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "mgr/image/durable_file.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr std::size_t kPidFileBytesMax = 64;

}  // namespace

int read_pid_file(const std::string& path) {
  int pid = 0;
  try {
    const std::string text = read_file(path, kPidFileBytesMax);
    std::from_chars(text.data(), text.data() + text.size(), pid);
  } catch (const Error&) {
    return 0;
  }
  return std::max(pid, 0);
}

std::uint64_t process_start_time(int pid) {
  const UniqueFd file(::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return 0;
  char text[1024];
  const ssize_t bytes = ::read(file.get(), text, sizeof text);
  if (bytes <= 0) return 0;
  // The second field is the program's name in parentheses, and may hold anything: count from the last one.
  std::string_view rest(text, static_cast<std::size_t>(bytes));
  rest.remove_prefix(std::min(rest.rfind(')') + 1, rest.size()));
  for (int field = 2; field < 22; ++field) rest.remove_prefix(std::min(rest.find(' ', 1), rest.size()));
  std::uint64_t ticks = 0;
  if (!rest.empty()) std::from_chars(rest.data() + 1, rest.data() + rest.size(), ticks);
  return ticks;
}

UniqueFd open_process(int pid, std::uint64_t start_time) {
  if (pid <= 0) return UniqueFd();
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process && start_time != 0 && process_start_time(pid) != start_time) process.reset();
  return process;
}

}  // namespace quoll::mgr
