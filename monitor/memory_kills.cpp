#include "monitor/memory_kills.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace quoll::monitor {
namespace {

std::string read_text(const std::string& path) {
  std::string text;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[2048];
  for (ssize_t count; (count = ::read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(fd);
  return text;
}

}  // namespace

std::string memory_cgroup(const std::string& text, std::string& mount) {
  std::string unified;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);  // hierarchy:controllers:path
    begin = end + 1;
    const std::size_t controllers = line.find(':') + 1;
    const std::size_t path = line.find(':', controllers);
    if (controllers == 0 || path == std::string::npos) continue;
    if (("," + line.substr(controllers, path - controllers) + ",").find(",memory,") != std::string::npos) {
      mount = "/sys/fs/cgroup/memory";
      return line.substr(path + 1);
    }
    if (line.compare(0, controllers + 1, "0::") == 0) unified = line.substr(path + 1);
  }
  mount = "/sys/fs/cgroup";
  return unified;
}

std::string memory_kills_file(pid_t pid) {
  std::string mount;
  const std::string path = memory_cgroup(read_text("/proc/" + std::to_string(pid) + "/cgroup"), mount);
  if (path.empty()) return path;
  const bool unified = mount == "/sys/fs/cgroup";
  return mount + path + (unified ? "/memory.events" : "/memory.oom_control");
}

long memory_kills(const std::string& file) {
  if (file.empty()) return 0;
  const std::string text = "\n" + read_text(file);
  const std::size_t at = text.find("\noom_kill ");
  return at == std::string::npos ? 0 : std::strtol(text.c_str() + at + 10, nullptr, 10);
}

}  // namespace quoll::monitor
