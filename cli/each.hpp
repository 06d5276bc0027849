// for_each_name: commands that take several names.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/engine.hpp"

namespace quoll::cli {

// Acts on one name after the other. A name that fails is reported and the others are still done; the exit code is then
// 1. A daemon that cannot be reached ends it, since it would fail for each of them.
template <typename Options>
task::Task<int> for_each_name(Context& context, const Options& options, const std::vector<std::string>& names,
                              task::Task<void> (*act)(Context&, Engine&, const Options&, const std::string&)) {
  Engine engine(context.host);
  int exit_code = 0;
  for (const std::string& name : names) {
    std::string failure;
    try {
      co_await act(context, engine, options, name);
    } catch (const Unreachable&) {
      throw;
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty()) continue;
    exit_code = 1;
    failure = "quoll: " + failure + "\n";
    co_await context.error.write(failure);
  }
  co_return exit_code;
}

}  // namespace quoll::cli
