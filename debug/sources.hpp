// DebugSources: what a program has the debug routes tell beside its tasks.
#pragma once

#include <functional>
#include <vector>

#include "debug/metrics.hpp"
#include "http/router.hpp"

namespace quoll::debug {

// Lifetime: what it refers to outlives the routes. Thread: the functions are called from any worker, and must neither
// wait nor block.
struct DebugSources {
  std::vector<const http::Router*> routers;   // whose requests /metrics counts
  std::function<void(Metrics&)> add_metrics;  // families of the program's own
};

}  // namespace quoll::debug
