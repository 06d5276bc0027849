// What a dump is asked for: the query of /debug/goroutine, checked.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "debug/place.hpp"
#include "task/record.hpp"

namespace quoll::debug {

inline constexpr std::chrono::milliseconds kAnswerBound{100};

struct DumpOptions {
  // A regular expression that must be found in the name of a function of the stack, in the task's name, or in a label
  // of its request (route, path, container, client). Empty: all tasks.
  std::string match;
  std::optional<task::TaskState> state;
  std::chrono::nanoseconds min_wait{0};  // in its state; tasks that run have waited for nothing
  std::uint64_t request = 0;             // only tasks that work for it; 0: all
  std::shared_ptr<const std::unordered_set<std::uint64_t>> only;  // only these tasks; null: all
  std::string_view mark;  // one more word on each task of the debug=2 text; of static storage
  FileNames files = FileNames::kReal;
  // A worker that is silent for longer is reported instead of waited for. Not a parameter of the query.
  std::chrono::milliseconds answer_bound = kAnswerBound;
};

// Regular expressions longer than this are refused.
inline constexpr std::size_t kMatchBytesMax = 128;

// `query` gives a parameter's decoded value, or nothing where it is absent. Reads match, state, min_wait, request and
// files. Errors: Error{kInvalidArgument} that names the parameter; the expression is checked by Filter.
using QueryLookup = std::function<std::optional<std::string>(std::string_view)>;
DumpOptions parse_dump_options(const QueryLookup& query);

// "2m", "30s", "500ms", "1h30m", "1.5s", "0": Go's durations without a sign. Nothing where it is none.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

// By the word that dumps print: "chan receive". Nothing for any other.
std::optional<task::TaskState> parse_state(std::string_view word);

}  // namespace quoll::debug
