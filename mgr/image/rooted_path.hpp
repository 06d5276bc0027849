// Names from an untrusted archive, resolved so that nothing outside a directory is ever reached.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "task/unique_fd.hpp"

namespace quoll::mgr {

// The lexical clean-up of an archive's name: no leading or doubled slashes, no ".", every ".." taken with the name
// before it. "" is the root itself. Nothing when it would climb above the root.
std::optional<std::string> clean_archive_path(std::string_view path);

struct SplitPath {
  std::string parent;  // "" is the root
  std::string name;
};
SplitPath split_path(std::string_view clean_path);

// Opens the directory `clean_path` below `root_fd`. Symbolic links on the way are followed as in a chroot: they cannot
// lead out, whatever an earlier entry made them. Nothing when it does not exist.
//
// Errors:   kInvalidArgument when something on the way is no directory or links form a loop; others as system_error.
std::optional<UniqueFd> open_directory_in_root(int root_fd, const std::string& clean_path);

// The same, making what is missing (0755, root's).
UniqueFd make_directories_in_root(int root_fd, const std::string& clean_path);

}  // namespace quoll::mgr
