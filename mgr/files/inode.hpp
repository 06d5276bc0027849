// What can be asked of a file without opening it: through an O_PATH descriptor, which no change of names deceives.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "task/unique_fd.hpp"

namespace quoll::mgr {

// Errors: all as system_error().

struct stat status_of(int place);

// The target of the symbolic link itself.
std::string read_link(int place);

// Extended attributes, without those that steer an overlay or belong to the host's security module.
std::vector<std::pair<std::string, std::string>> read_attributes(int place);

// The same file opened. REQUIRES: a regular file or a directory; nothing else may be opened for its side effects.
UniqueFd reopen(int place, int flags);

// What is in a directory, sorted, without "." and "..".
std::vector<std::string> names_in(int place);

// Overlayfs's marks in an upper directory.
bool is_whiteout(const struct stat& status);
bool is_opaque(int place);

// Looks `path` up below `root` as a process would whose root that is; a link at the end is followed where `follow`.
// Empty where there is nothing. `path` is clean or not, absolute or not: it cannot lead out.
UniqueFd find_in_root(int root, const std::string& path, bool follow);

}  // namespace quoll::mgr
