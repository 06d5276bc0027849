// Function names for people and for Go's readers, out of what the compiler calls a function.
#pragma once

#include <string>
#include <string_view>

namespace quoll::debug {

// "quoll::api::logs_container" out of clang's
// "quoll::task::Task<void> quoll::api::logs_container(quoll::http::Request &, quoll::http::Response &)".
//
// Without return type, parameters, qualifiers and the list of template arguments behind the name; anonymous namespaces
// are dropped and a closure's operator() is called `lambda`. The name holds no `%` and no `/` without a `.` behind it,
// which Go's readers would misread.
// Limits: cut at kFunctionNameMax bytes. Never empty.
std::string clean_function_name(std::string_view pretty);

inline constexpr std::size_t kFunctionNameMax = 400;

}  // namespace quoll::debug
