// Removing directory trees that an untrusted archive made.
#pragma once

#include <filesystem>
#include <vector>

namespace quoll::mgr {

// Removes `path` and everything below it; never follows a symbolic link, and needs a bounded number of descriptors and
// of stack however deep the tree is (an archive can make one deeper than any path can name). True when nothing is left
// (or nothing was there); false leaves the rest for the next attempt.
//
// Thread:   any; `path` must not be in use by another thread.
bool remove_tree(const std::filesystem::path& path) noexcept;

// Several, out of work directories: what cannot be removed now is for the next start, which empties them.
void remove_trees(const std::vector<std::filesystem::path>& paths) noexcept;

// The same for the entry `name` of an open directory.
bool remove_tree_at(int directory_fd, const char* name) noexcept;

}  // namespace quoll::mgr
