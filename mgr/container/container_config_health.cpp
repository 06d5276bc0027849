// Healthcheck.
#include "mgr/container/container_config_parse.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

int64_t parse_duration(JsonFields& fields, std::string_view name) {
  const int64_t duration = fields.number(name);
  if (duration != 0 && duration < kMillisecond) {
    throw Error(ErrorClass::kInvalidArgument,
                std::string(name) + " in Healthcheck cannot be less than one millisecond");
  }
  return duration;
}

}  // namespace

std::optional<HealthConfig> parse_healthcheck(JsonFields& fields) {
  const nlohmann::json* json = fields.value("Healthcheck");
  if (json == nullptr || is_default_value(*json)) return std::nullopt;
  JsonFields check(*json, fields.full_name("Healthcheck."));
  HealthConfig health;
  health.test = check.texts("Test");
  if (!health.test.empty()) {
    const std::string& kind = health.test[0];
    const bool known = kind == "NONE" || kind == "CMD" || kind == "CMD-SHELL";
    if (!known) refuse_value(check.full_name("Test"), "unknown type of health check: " + kind);
    if (kind != "NONE" && health.test.size() < 2) refuse_value(check.full_name("Test"), "no command");
  }
  health.interval_ns = parse_duration(check, "Interval");
  health.timeout_ns = parse_duration(check, "Timeout");
  health.start_period_ns = parse_duration(check, "StartPeriod");
  health.start_interval_ns = parse_duration(check, "StartInterval");
  const int64_t retries = check.number("Retries");
  if (retries < 0 || retries > INT32_MAX) {
    throw Error(ErrorClass::kInvalidArgument, "Retries in Healthcheck cannot be negative");
  }
  health.retries = static_cast<int>(retries);
  check.refuse_the_rest();
  return health;
}

}  // namespace quoll::mgr
