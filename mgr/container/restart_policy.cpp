#include "mgr/container/restart_policy.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "mgr/container/container_config_parse.hpp"

namespace quoll::mgr {
namespace {

using When = RestartPolicy::When;

constexpr std::int64_t kDelayMin_ms = 100;
constexpr std::int64_t kDelayMax_ms = 60'000;
constexpr std::int64_t kLongRun_ns = 10'000'000'000;

constexpr auto kNames = std::to_array<std::pair<When, std::string_view>>({
    {When::kNo, "no"},
    {When::kAlways, "always"},
    {When::kUnlessStopped, "unless-stopped"},
    {When::kOnFailure, "on-failure"},
});

}  // namespace

std::string_view to_string(When when) { return kNames[static_cast<std::size_t>(when)].second; }

RestartPolicy parse_restart_policy(JsonFields& host) {
  const nlohmann::json* json = host.value("RestartPolicy");
  if (json == nullptr) return {};
  JsonFields fields(*json, host.full_name("RestartPolicy."));
  const std::string name = fields.text("Name");
  const int64_t retries = fields.number("MaximumRetryCount");
  fields.refuse_the_rest();
  const auto known = std::find_if(kNames.begin(), kNames.end(), [&](const auto& each) { return each.second == name; });
  if (!name.empty() && known == kNames.end()) {
    refuse("invalid restart policy: unknown policy '" + name +
           "'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'");
  }
  const When when = name.empty() ? When::kNo : known->first;
  if (retries != 0 && when != When::kOnFailure) {
    refuse("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (retries < 0 || retries > INT32_MAX) {
    refuse("invalid restart policy: maximum retry count cannot be negative");
  }
  return {when, static_cast<int>(retries)};
}

bool restarts_after_exit(const RestartPolicy& policy, const ContainerState& state) {
  if (state.stopped_by_user) return false;
  switch (policy.when) {
    case When::kNo:
      return false;
    case When::kAlways:
    case When::kUnlessStopped:
      return true;
    case When::kOnFailure:
      break;
  }
  const bool tries_left = policy.maximum_retry_count == 0 || state.restart_count < policy.maximum_retry_count;
  return state.exit_code != 0 && tries_left;
}

bool restarts_with_daemon(const RestartPolicy& policy, const ContainerState& state) {
  if (state.started_at_ns == 0) return false;
  return policy.when == When::kAlways || restarts_after_exit(policy, state);
}

std::int64_t next_restart_delay_ms(const ContainerState& state) {
  if (state.restart_delay_ms == 0 || state.finished_at_ns - state.started_at_ns >= kLongRun_ns) return kDelayMin_ms;
  return std::clamp(state.restart_delay_ms * 2, kDelayMin_ms, kDelayMax_ms);
}

}  // namespace quoll::mgr
