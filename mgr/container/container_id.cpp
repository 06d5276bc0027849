#include "mgr/container/container_id.hpp"

#include <sys/random.h>

#include <cerrno>

#include "mgr/short_id.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

void fill_random(void* data, size_t size) {
  auto* bytes = static_cast<unsigned char*>(data);
  while (size > 0) {
    const ssize_t got = ::getrandom(bytes, size, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw system_error(errno, "getrandom");
    }
    bytes += got;
    size -= static_cast<size_t>(got);
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string new_container_id() {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (;;) {
    std::array<unsigned char, kContainerIdLength / 2> bytes;
    fill_random(bytes.data(), bytes.size());
    std::string id;
    id.reserve(kContainerIdLength);
    for (const unsigned char byte : bytes) {
      id.push_back(kHex[byte >> 4]);
      id.push_back(kHex[byte & 15]);
    }
    if (!std::all_of(id.begin(), id.begin() + kShortIdLength, is_digit)) return id;
  }
}

bool is_container_id(std::string_view text) {
  return text.size() == kContainerIdLength &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

uint32_t random_below(uint32_t bound) {
  uint64_t value = 0;
  fill_random(&value, sizeof value);
  return static_cast<uint32_t>(value % bound);
}

}  // namespace quoll::mgr
