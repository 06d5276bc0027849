// Texts that the parts of a build share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quoll::mgr {

// In double quotes, so that a reader with this escape character takes it as it is.
std::string quoted_word(std::string_view text, char escape = '\\');

// "a b", and as Go writes lists: ["a" "b"].
std::string joined(const std::vector<std::string>& words, std::string_view between = " ");
std::string quoted_list(const std::vector<std::string>& words);

// The path from `directory`, absolute and clean; it keeps the slash at its end, where it says that it is a directory.
std::string absolute_target(const std::string& directory, const std::string& path);

}  // namespace quoll::mgr
