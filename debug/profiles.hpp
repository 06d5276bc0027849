// Go's profiles but for goroutine, each as what it has collected so far.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "debug/profile.hpp"
#include "debug/value_profile.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

// A profile that counts from the process's start on: its difference over a time is its delta.
struct CumulativeProfile {
  std::string_view name;
  const ProfileKind& (*kind)();
  bool (*available)();                      // in this program
  std::size_t (*count)(task::Runtime&);     // how many stacks there are, for the index
  ValueProfile (*collect)(task::Runtime&);  // with names: some milliseconds, for the blocking pool
  std::string (*text)(task::Runtime&);      // debug=1; like collect()
  std::string_view about;                   // for the index
};

// allocs, block, heap, mutex, threadcreate.
std::span<const CumulativeProfile> cumulative_profiles();
const CumulativeProfile* find_cumulative_profile(std::string_view name);

// The profiles as bytes for `go tool pprof`. With `duration` what has come in that time.
// Cancel: ends the collecting.
task::Task<std::string> take_profile(task::Runtime& runtime, const CumulativeProfile& profile,
                                     std::chrono::nanoseconds duration = std::chrono::nanoseconds(0));
// Errors: Error{kInternal} where another one is being taken.
task::Task<std::string> take_cpu_profile(std::chrono::nanoseconds duration);

}  // namespace quoll::debug
