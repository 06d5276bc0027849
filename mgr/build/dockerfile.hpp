// Dockerfiles: their instructions, as Docker's classic builder reads them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quoll::mgr {

// One instruction, its continued lines joined.
struct Instruction {
  std::string name;                                        // in upper case
  std::vector<std::pair<std::string, std::string>> flags;  // "--from=x": from, x; "--link": link, ""
  std::string arguments;                                   // what is behind name and flags; never empty
  std::optional<std::vector<std::string>> list;            // the arguments, where they are a JSON list of texts
  std::string text;                                        // all of it, as it was written
  int line = 0;

  const std::string* flag(std::string_view name) const;  // null where it is not given
};

struct Dockerfile {
  std::vector<Instruction> instructions;  // never empty
  char escape = '\\';
  std::vector<std::string> warnings;  // lines to be shown before the first step
};

// `name` is the file's, for messages.
//
// Errors: kInvalidArgument in Docker's words, with the line, for all that is wrong whatever the variables come to. What
//         the classic builder does not know and BuildKit does (here-documents, mounts of RUN, --chmod, --link) is
//         refused by its name.
Dockerfile parse_dockerfile(std::string_view text, const std::string& name = "Dockerfile");
// One instruction; of line 0 where it is of no file, as those that ONBUILD keeps.
Instruction parse_instruction(std::string_view text, int line, char escape = '\\');

// Errors: kInvalidArgument for what cannot stand behind ONBUILD.
void check_trigger(const Instruction& trigger);

}  // namespace quoll::mgr
