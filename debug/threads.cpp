#include "debug/threads.hpp"

#include <dirent.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <memory>
#include <string_view>

namespace quoll::debug {

std::vector<pid_t> list_thread_ids() {
  std::vector<pid_t> ids;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/task"), &::closedir);
  if (!directory) return ids;
  while (const dirent* const entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    pid_t id = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), id).ec == std::errc()) ids.push_back(id);
  }
  return ids;
}

std::string thread_name(pid_t id) {
  std::ifstream file("/proc/self/task/" + std::to_string(id) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

std::vector<Thread> list_threads() {
  std::vector<Thread> threads;
  for (const pid_t id : list_thread_ids()) threads.push_back({id, thread_name(id), id == ::getpid()});
  return threads;
}

}  // namespace quoll::debug
