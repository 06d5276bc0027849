// The tables of the daemon's state, and how older ones become the present ones.
#pragma once

#include <span>

#include "mgr/store/database.hpp"

namespace quoll::mgr {

// In order of version. What was ever released is never edited: a change is a new entry at the end.
std::span<const Migration> state_schema();

}  // namespace quoll::mgr
