// What the runtime says of a failure, in the words that Docker's clients look for.
#pragma once

#include <string>

namespace quoll::mgr {

// Docker's clients know what went wrong by Go's words for it, and take their own exit status from them. runc speaks Go;
// crun gives libc's words, and EPERM for what is no regular file.
std::string in_gos_words(std::string reason);

// Docker's exit codes for what could not be run, told by the same words as its clients do.
int start_failure_code(const std::string& message);

}  // namespace quoll::mgr
