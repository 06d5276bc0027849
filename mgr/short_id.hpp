// The short form of an id: what people see of a container, an image or a layer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace quoll::mgr {

inline constexpr std::size_t kShortIdLength = 12;

// The first kShortIdLength digits, of a digest those behind "sha256:"; the whole of a shorter text.
inline std::string short_id(std::string_view id) {
  return std::string(id.substr(id.find(':') + 1, kShortIdLength));  // npos + 1 is 0
}

}  // namespace quoll::mgr
