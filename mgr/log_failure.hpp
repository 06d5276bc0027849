// What the managers do with the failure of a background task that nobody joins: a line in the daemon's log.
#pragma once

#include <cstdint>
#include <exception>
#include <string_view>

namespace quoll::mgr {

// A task::Scope::FailureHandler. Thread: any.
void log_failure(std::uint64_t task_id, std::string_view name, std::exception_ptr failure);

}  // namespace quoll::mgr
