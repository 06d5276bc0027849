// Platforms, in Go's words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quoll::mgr {

// "linux", "amd64", variant "v7" or empty.
struct Platform {
  std::string os = "linux";
  std::string architecture;
  std::string variant;

  friend bool operator==(const Platform&, const Platform&) = default;
};

// "linux/arm/v7", "arm64"; what is left out, or all where it is empty, is the host's. Errors: kInvalidArgument.
Platform parse_platform(std::string_view text);

std::string to_string(const Platform& platform);

// The machine that this program runs on.
Platform host_platform();

// Whether what is of `platform` is what somebody wants. A variant counts only where both tell one.
bool is_of(const Platform& platform, const Platform& wanted);

// How well an entry of an index fits: 2 is the very platform, 1 one that runs as well, 0 another or none.
int fitness(const std::optional<Platform>& platform, const Platform& wanted);

}  // namespace quoll::mgr
