#include "mgr/runtime/runtime_words.hpp"

#include <string_view>
#include <utility>

namespace quoll::mgr {

std::string in_gos_words(std::string reason) {
  constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"open executable: Operation not permitted", "open executable: permission denied"},
      {"No such file or directory", "no such file or directory"},
      {"Permission denied", "permission denied"},
      {"Is a directory", "is a directory"},
      {"Not a directory", "not a directory"},
  };
  for (const auto& [libc, go] : kWords) {
    if (const std::size_t at = reason.find(libc); at != std::string::npos) reason.replace(at, libc.size(), go);
  }
  while (!reason.empty() && (reason.back() == '\n' || reason.back() == ' ')) reason.pop_back();
  return reason;
}

int start_failure_code(const std::string& message) {
  const auto says = [&message](std::string_view words) { return message.find(words) != std::string::npos; };
  if ((says("executable file") && says("not found")) || says("no such file or directory")) return 127;
  if (says("permission denied") || says("is a directory")) return 126;
  return 128;
}

}  // namespace quoll::mgr
