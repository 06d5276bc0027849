// Place: a point in the source that tasks wait at or were made at, with everything that dumps print of it made once.
#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>

namespace quoll::debug {

// Readers that know Go's files only (panicparse) want file names that end in .go.
enum class FileNames : std::uint8_t { kReal, kGo };

// Immutable, one for each function, file and line, and never destroyed: there are as many as awaits in the binary.
struct Place {
  std::string function;  // as clean_function_name() gives it
  std::string file;      // as compiled: relative to the source tree
  std::uint32_t line = 0;
  std::uint32_t index = 0;           // dense, from 0
  std::uint32_t function_index = 0;  // dense, from 0; one for each function and file

  // A made-up program counter, for formats that count in those. resolve_pc() knows every address of the function.
  std::uint64_t pc = 0;
  std::uint64_t offset = 0;  // of `pc` in the function

  // By FileNames (empty for a native function): "F(...)\n\tfile:line\n", and "\n\tfile:line\n" for the line after
  // `created by`.
  std::string frame_text[2];
  std::string origin_text[2];
};

// Thread: any; each thread keeps a cache by the location's address, so a known place costs one probe.
const Place& place_of(const std::source_location& location);

// The place of a native function: its module stands for the file, and it has no line and no text of the debug=2 form.
// Thread: any.
const Place& native_place(const std::string& function, const std::string& module);

// The name of the function that a place's pc lies in; nothing for an address of no function.
std::optional<std::string> resolve_pc(std::uint64_t pc);

}  // namespace quoll::debug
