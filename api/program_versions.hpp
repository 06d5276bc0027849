// What the outside programs of /info say of themselves.
#pragma once

#include <string>
#include <string_view>

#include "task/task.hpp"

namespace quoll::api {

// Of the text of `--version`: the commit where it has one ("commit: f8a096be", "tini version 0.19.0 - git.de40ad0"),
// else the version; "N/A" where it has neither, as dockerd has it.
std::string commit_of(std::string_view version_text);

// The same of a program that is asked for it. Errors: none; "N/A" for a program that is not there, fails, or is slow.
task::Task<std::string> program_commit(std::string program);

}  // namespace quoll::api
