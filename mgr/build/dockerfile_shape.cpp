#include "mgr/build/dockerfile_shape.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "mgr/build/dockerfile_words.hpp"
#include "mgr/image/config_changes.hpp"
#include "mgr/letter_case.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

namespace {

[[noreturn]] void refuse(std::string message) { throw Error(ErrorClass::kInvalidArgument, std::move(message)); }
[[noreturn]] void refuse_chain() { refuse("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"); }

void check_copy(const Instruction& copy, char escape) {
  const std::size_t words = copy.list ? copy.list->size() : split_words(copy.arguments, escape).size();
  if (words < 2) {
    refuse(copy.name +
           " requires at least two arguments, but only one was provided. Destination could not be determined");
  }
}

void check_pairs(const Instruction& pairs, char escape) {
  for (const auto& [name, value] : split_pairs(pairs.name, pairs.arguments, escape)) {
    if (name.empty()) refuse(pairs.name + " names can not be blank");
  }
}

void check_argument(const Instruction& argument, char escape) {
  for (const std::string& word : split_words(argument.arguments, escape)) {
    if (word.starts_with('=')) refuse("ARG names can not be blank");
  }
}

void check_shell(const Instruction& shell, char) {
  if (!shell.list) refuse("SHELL requires the arguments to be in JSON form");
  if (shell.list->empty()) refuse("SHELL requires at least one argument");
}

// It has no variables: what it comes to is known already.
void check_healthcheck(const Instruction& healthcheck, char) {
  nlohmann::json config = nlohmann::json::object();
  apply_change(config, "HEALTHCHECK " + healthcheck.arguments);
}

// A chain is refused by its first two words: it may be as long as the file is.
void check_onbuild(const Instruction& instruction, char escape) {
  const std::string& trigger = instruction.arguments;
  if (lower(trigger.substr(0, trigger.find_first_of(" \t"))) == "onbuild") refuse_chain();
  check_trigger(parse_instruction(instruction.arguments, 0, escape));
}

}  // namespace

void check_trigger(const Instruction& trigger) {
  if (trigger.name == "ONBUILD") refuse_chain();
  if (trigger.name == "MAINTAINER" || trigger.name == "FROM") {
    refuse(trigger.name + " isn't allowed as an ONBUILD trigger");
  }
}

void check_shape(const Instruction& instruction, char escape) {
  using Check = void (*)(const Instruction&, char);
  static const std::map<std::string, Check> kChecks{{"ADD", check_copy},    {"ARG", check_argument},
                                                    {"COPY", check_copy},   {"ENV", check_pairs},
                                                    {"LABEL", check_pairs}, {"HEALTHCHECK", check_healthcheck},
                                                    {"SHELL", check_shell}, {"ONBUILD", check_onbuild}};
  if (const auto check = kChecks.find(instruction.name); check != kChecks.end()) check->second(instruction, escape);
}

}  // namespace quoll::mgr
