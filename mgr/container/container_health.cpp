#include "mgr/container/container_health.hpp"

#include <nlohmann/json.hpp>

#include "mgr/container/container_state.hpp"

namespace quoll::mgr {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

std::string_view to_string(HealthStatus status) {
  switch (status) {
    case HealthStatus::kHealthy:
      return "healthy";
    case HealthStatus::kUnhealthy:
      return "unhealthy";
    case HealthStatus::kStarting:
      break;
  }
  return "starting";
}

void Health::add(HealthResult result, const HealthConfig& config, std::int64_t started_ns) {
  if (result.output.size() > kOutputBytesMax) result.output.resize(kOutputBytesMax);
  const bool success = result.exit_code == 0;
  const bool early = status == HealthStatus::kStarting && result.start_ns - started_ns < config.start_period_ns;
  if (log.size() >= kResultsMax) log.erase(log.begin());
  log.push_back(std::move(result));
  if (success) {
    failing_streak = 0;
    status = HealthStatus::kHealthy;
  } else if (!early && ++failing_streak >= config.retries) {
    status = HealthStatus::kUnhealthy;
  }
}

HealthConfig with_health_defaults(HealthConfig config) {
  if (config.interval_ns == 0) config.interval_ns = 30 * kSecond;
  if (config.timeout_ns == 0) config.timeout_ns = 30 * kSecond;
  if (config.start_interval_ns == 0) config.start_interval_ns = 5 * kSecond;
  if (config.retries == 0) config.retries = 3;
  return config;
}

std::int64_t probe_delay_ns(const Health& health, const HealthConfig& config, std::int64_t started_ns,
                            std::int64_t now_ns) {
  const bool starting = health.status == HealthStatus::kStarting && now_ns - started_ns < config.start_period_ns;
  return starting ? config.start_interval_ns : config.interval_ns;
}

nlohmann::json health_inspect_json(const Health& health) {
  nlohmann::json log = nlohmann::json::array();
  for (const HealthResult& result : health.log) {
    log.push_back({{"Start", rfc3339_nano(result.start_ns)},
                   {"End", rfc3339_nano(result.end_ns)},
                   {"ExitCode", result.exit_code},
                   {"Output", result.output}});
  }
  return {{"Status", to_string(health.status)}, {"FailingStreak", health.failing_streak}, {"Log", std::move(log)}};
}

}  // namespace quoll::mgr
