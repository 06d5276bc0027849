// Words and variables in a Dockerfile's instructions, as Docker's classic builder reads them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quoll::mgr {

// A variable's value; nothing where it is not set.
using VariableLookup = std::function<std::optional<std::string>(const std::string& name)>;

// `text` without its quotes and escapes, and with $x, ${x}, ${x:-default}, ${x:+other} and ${x:?message} replaced.
//
// Errors: kInvalidArgument for a malformed substitution or a quote without its end.
std::string expand_word(std::string_view text, char escape, const VariableLookup& lookup);

// Separated by blanks, with quotes that hold a word together; quotes and escapes stay.
std::vector<std::string> split_words(std::string_view text, char escape);

// "a=b c='d e'", or the old form "a rest of the line": names and values as they are written. `instruction` is its name,
// for messages.
//
// Errors: kInvalidArgument in Docker's words.
std::vector<std::pair<std::string, std::string>> split_pairs(const std::string& instruction, std::string_view text,
                                                             char escape);

// The same, their quotes, escapes and variables taken care of.
//
// Errors: as split_pairs() and expand_word(); for a blank name.
std::vector<std::pair<std::string, std::string>> expand_pairs(const std::string& instruction, std::string_view text,
                                                              char escape, const VariableLookup& lookup);

}  // namespace quoll::mgr
