// Base64 (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quoll::http {

// With padding.
std::string to_base64(std::string_view bytes);

// Of either alphabet, with padding or without. Nothing for any other text.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace quoll::http
