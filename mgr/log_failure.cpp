#include "mgr/log_failure.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace quoll::mgr {

void log_failure(std::uint64_t task_id, std::string_view name, std::exception_ptr failure) {
  try {
    std::rethrow_exception(std::move(failure));
  } catch (const std::exception& error) {
    spdlog::error("task {} ({}): {}", task_id, name, error.what());
  }
}

}  // namespace quoll::mgr
