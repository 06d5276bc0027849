// Whether a container does its work, as its health checks have found: the results and what follows from them.
//
// Source: Docker's HEALTHCHECK: healthy with the first success, unhealthy after `retries` failures in a row; failures
// within the start period count for nothing while there was no success yet.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "mgr/container/container_config.hpp"

namespace quoll::mgr {

struct HealthResult {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  int exit_code = 0;
  std::string output;
};

enum class HealthStatus { kStarting, kHealthy, kUnhealthy };
std::string_view to_string(HealthStatus status);  // "starting", "healthy", "unhealthy"

struct Health {
  static constexpr std::size_t kResultsMax = 5;
  static constexpr std::size_t kOutputBytesMax = 4096;

  HealthStatus status = HealthStatus::kStarting;
  int failing_streak = 0;
  std::vector<HealthResult> log;  // the newest last

  // `started_ns`: of the container's run.
  void add(HealthResult result, const HealthConfig& config, std::int64_t started_ns);
};

// The configuration with Docker's defaults where it says nothing.
HealthConfig with_health_defaults(HealthConfig config);

// How long to wait before the next probe. REQUIRES: defaults are filled in.
std::int64_t probe_delay_ns(const Health& health, const HealthConfig& config, std::int64_t started_ns,
                            std::int64_t now_ns);

// State.Health of inspect.
nlohmann::json health_inspect_json(const Health& health);

}  // namespace quoll::mgr
