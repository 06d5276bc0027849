// Names for native addresses, out of the symbol tables of the files that are mapped: static functions included, and no
// debug information needed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::debug {

struct NativeSymbol {
  std::string function;      // "quoll::api::logs_container", "memcpy"; "[libc.so.6]" where a library tells no more
  std::string module;        // "quolld", "libc.so.6"; "" where nothing is mapped there
  std::uintptr_t start = 0;  // where the function begins; the address itself where that is not known
};

// Names for all of `pcs`, in their order. Never fails: what has no name is called "unknown".
//
// Addresses that were asked for before come from memory. The others cost one pass over the symbol table of each file
// that they lie in: some milliseconds, and nothing stays mapped. So ask for many at once, and off the workers
// (task::blocking) where it can be many or new.
// Thread: any.
std::vector<NativeSymbol> symbolize_native(std::span<const std::uintptr_t> pcs);

// "Channel<int>::take<int>" -> "Channel<...>::take".
std::string collapse_template_arguments(const std::string& name);

// "quoll::task::Channel<...>::take" out of "_ZN5quoll4task7ChannelIiE4takeEv"; a name that is not mangled stays.
std::string native_function_name(std::string_view symbol);

}  // namespace quoll::debug
