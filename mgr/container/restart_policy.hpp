// Whether and when an exited container is started again.
//
// Source: Docker's restart manager: 100 ms at first, doubled each time up to a minute, and 100 ms again after a run of
// 10 seconds.
#pragma once

#include <cstdint>

#include "mgr/container/container_config.hpp"
#include "mgr/container/container_state.hpp"

namespace quoll::mgr {

// After an exit. REQUIRES: `state` is that of a container that has exited.
bool restarts_after_exit(const RestartPolicy& policy, const ContainerState& state);

// When the daemon starts: containers that ran before and were not stopped, and with `always` the stopped ones too.
bool restarts_with_daemon(const RestartPolicy& policy, const ContainerState& state);

// Before the next restart.
std::int64_t next_restart_delay_ms(const ContainerState& state);

}  // namespace quoll::mgr
