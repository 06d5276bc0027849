// What the engine adds to /metrics and /debug/vars.
#pragma once

#include "debug/metrics.hpp"
#include "mgr/container/container_manager.hpp"
#include "mgr/image/image_store.hpp"

namespace quoll::daemon {

// Containers by state, and images. Thread: any.
void add_engine_metrics(debug::Metrics& metrics, const mgr::ContainerManager& containers,
                        const mgr::ImageStore& images);

}  // namespace quoll::daemon
