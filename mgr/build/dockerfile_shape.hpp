// What an instruction must have, whatever its variables come to.
#pragma once

#include "mgr/build/dockerfile.hpp"

namespace quoll::mgr {

// Errors: kInvalidArgument in Docker's words, without the line.
void check_shape(const Instruction& instruction, char escape);

}  // namespace quoll::mgr
