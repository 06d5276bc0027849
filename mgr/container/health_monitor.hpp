// The task that runs a container's health check again and again while the container runs.
#pragma once

#include <functional>
#include <memory>

#include "mgr/container/container.hpp"
#include "mgr/event/event.hpp"
#include "mgr/runtime/runtime_programs.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// What the monitor tells: an action for the container's events ("health_status: healthy", "exec_start: ...").
using HealthReport = std::function<void(const Container& container, std::string action, EventAttributes more)>;

// Ends when the container's run ends. REQUIRES: the container has a probe, and runs.
//
// Cancel: a probe that runs is killed.
// Errors: a probe that cannot be run at all is an unhealthy result, with the reason as its output.
task::Task<void> monitor_health(std::shared_ptr<Container> container, const RuntimePrograms& programs,
                                HealthReport report);

}  // namespace quoll::mgr
