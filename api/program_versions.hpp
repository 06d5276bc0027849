// What the outside programs of /info and /version say of themselves.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "task/task.hpp"

namespace quoll::api {

// Of the text of `--version`; either is empty where the text has it not.
struct ProgramVersion {
  std::string version;  // "crun version 1.8.1", "tini version 0.19.0 - git.de40ad0"
  std::string commit;   // "commit: f8a096be", " - git.de40ad0"

  bool operator==(const ProgramVersion&) const = default;
};

// Nothing where the text has neither.
std::optional<ProgramVersion> parse_program_version(std::string_view text);

// The same of a program that is asked for it. Errors: none; nothing for a program that is not there, fails, or is slow.
task::Task<std::optional<ProgramVersion>> program_version(std::string program);

// The one word for both: the commit where there is one, else the version, else "N/A", as dockerd has it.
std::string commit_of(const std::optional<ProgramVersion>& program);

}  // namespace quoll::api
