#include "api/version.hpp"

#include <charconv>
#include <string>

#include "api/api.hpp"
#include "task/error.hpp"

namespace quoll::api {
namespace {

constexpr int kMajor = 1000;

// 1.41 as 1041, so that versions compare; -1 for what is none.
int version_number(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return -1;
  int major = 0;
  int minor = 0;
  const auto first = std::from_chars(text.data(), text.data() + dot, major);
  const auto second = std::from_chars(text.data() + dot + 1, text.data() + text.size(), minor);
  if (first.ec != std::errc() || second.ec != std::errc()) return -1;
  return major * kMajor + minor;
}

}  // namespace

void check_version(const http::Request& request) {
  const std::string_view asked = request.api_version();
  if (asked.empty()) return;
  const int number = version_number(asked);
  if (number > version_number(kApiVersion)) {
    throw Error(ErrorClass::kInvalidArgument, "client version " + std::string(asked) +
                                                  " is too new. Maximum supported API version is " +
                                                  std::string(kApiVersion));
  }
  if (number < version_number(kApiVersionMin)) {
    throw Error(ErrorClass::kInvalidArgument,
                "client version " + std::string(asked) + " is too old. Minimum supported API version is " +
                    std::string(kApiVersionMin) + ", please upgrade your client to a newer version");
  }
}

bool is_before(const http::Request& request, int minor) {
  return !request.api_version().empty() && version_number(request.api_version()) < kMajor + minor;
}

}  // namespace quoll::api
