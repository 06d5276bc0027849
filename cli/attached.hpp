// quoll's standard streams at those of a container or an exec.
#pragma once

#include <string>

#include "cli/commands.hpp"
#include "cli/engine.hpp"

namespace quoll::cli {

struct AttachedOptions {
  bool input = false;
  bool tty = false;
  std::string resize_target;  // of the request that tells the terminal's size
};

enum class AttachedEnd { kStream, kDetached };

// Copies both ways until the daemon ends the stream. With `tty`, quoll's own terminal is raw meanwhile, and its size is
// passed on.
//
// REQUIRES: `stream` has been upgraded.
task::Task<AttachedEnd> run_attached(Context& context, Engine& stream, AttachedOptions options);

}  // namespace quoll::cli
