// The commands of gops, and their answers.
#pragma once

#include <cstdint>

#include "debug/dump.hpp"
#include "task/runtime.hpp"
#include "task/task.hpp"

namespace quoll::debug {

// The byte that a client sends.
enum class GopsCommand : std::uint8_t {
  kStackTrace = 0x1,
  kGc = 0x2,
  kMemStats = 0x3,
  kVersion = 0x4,
  kHeapProfile = 0x5,
  kCpuProfile = 0x6,
  kStats = 0x7,
  kTrace = 0x8,
  kBinary = 0x9,
  kSetGcPercent = 0x10,
};

// Writes the whole answer to `sink`. A command that is not known has none.
// Cancel: ends the profile or dump that is being made.
// Errors: what the sink throws; Error{kUnavailable} where too much of the kind is under way.
task::Task<void> answer_gops(task::Runtime& runtime, GopsCommand command, TextSink sink);

}  // namespace quoll::debug
