// Signals by the names and numbers that Docker's clients write: "KILL", "SIGTERM", "9", "RTMIN+3".
#pragma once

#include <optional>
#include <string_view>

namespace quoll::mgr {

// The number of `text` (any case, with or without SIG); nothing if there is no such signal. 0 is none.
std::optional<int> parse_signal(std::string_view text);

}  // namespace quoll::mgr
