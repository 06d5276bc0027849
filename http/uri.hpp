// Percent-coding and query strings.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::http {

// Nothing where a % is not followed by two hex digits, or where it stands for NUL.
// `plus_is_space`: as in queries; not in paths.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);
// Leaves unreserved characters as they are, and `/` too where asked.
std::string percent_encode(std::string_view text, bool keep_slash = false);

// The decoded value of the first pair of that name in "a=1&b=2"; "" for a name without `=`. A value that cannot be
// decoded is given as it stands.
std::optional<std::string> query_value(std::string_view query, std::string_view name);
std::vector<std::string> query_values(std::string_view query, std::string_view name);
// Docker's booleans: "", "0", "no", "false" and "none" in any case are false, all else is true.
bool docker_bool(std::string_view value);

}  // namespace quoll::http
