#include "mgr/image/platform.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <vector>

#include "task/error.hpp"

namespace quoll::mgr {

Platform host_platform() {
  utsname names{};
  ::uname(&names);
  const std::string machine = names.machine;
  if (machine == "x86_64") return {"linux", "amd64", ""};
  if (machine == "aarch64") return {"linux", "arm64", "v8"};
  if (machine == "armv7l") return {"linux", "arm", "v7"};
  if (machine == "armv6l") return {"linux", "arm", "v6"};
  if (machine == "i386" || machine == "i686") return {"linux", "386", ""};
  return {"linux", machine, ""};
}

Platform parse_platform(std::string_view text) {
  Platform platform = host_platform();
  if (text.empty()) return platform;
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  const bool has_empty = std::ranges::any_of(parts, &std::string::empty);
  if (has_empty || parts.size() > 3) {
    throw Error(ErrorClass::kInvalidArgument, "\"" + std::string(text) + "\" is an invalid OS or platform");
  }
  if (parts.size() == 1 && parts[0] == "linux") return platform;
  if (parts.size() == 1) return {platform.os, parts[0], ""};
  return {parts[0], parts[1], parts.size() == 3 ? parts[2] : ""};
}

std::string to_string(const Platform& platform) {
  return platform.os + "/" + platform.architecture + (platform.variant.empty() ? "" : "/" + platform.variant);
}

bool is_of(const Platform& platform, const Platform& wanted) {
  return platform.os == wanted.os && platform.architecture == wanted.architecture &&
         (platform.variant.empty() || wanted.variant.empty() || platform.variant == wanted.variant);
}

int fitness(const std::optional<Platform>& platform, const Platform& wanted) {
  if (!platform || !is_of(*platform, wanted)) return 0;
  return platform->variant == wanted.variant ? 2 : 1;
}

}  // namespace quoll::mgr
